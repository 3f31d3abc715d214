import { Group, Pagination, Select, Text } from "@mantine/core";
import { PAGE_SIZES, type RequestSearch } from "@/features/requests/search";
import { count } from "@/lib/format";

type Props = { search: RequestSearch; total: number; change: (changes: Partial<RequestSearch>) => void };

export function Pager({ search: { page, size }, total, change }: Props) {
  const pages = Math.max(1, Math.ceil(total / size));
  return (
    <Group justify="space-between" gap="sm">
      <Group gap="xs">
        <Select
          size="xs"
          w={72}
          aria-label="Rows on a page"
          allowDeselect={false}
          data={PAGE_SIZES.map(String)}
          value={String(size)}
          onChange={(value) => change({ size: Number(value) })}
        />
        <Text size="xs" c="dimmed">
          {shownRows(page, size, total)}
        </Text>
      </Group>
      <Pagination
        size="sm"
        total={pages}
        value={page}
        siblings={1}
        onChange={(value) => change({ page: value })}
        getControlProps={(control) => ({ "aria-label": `${control} page` })}
      />
    </Group>
  );
}

function shownRows(page: number, size: number, total: number): string {
  const first = (page - 1) * size + 1;
  if (first > total) {
    return `none of ${count(total)}`;
  }
  return `${count(first)} to ${count(Math.min(total, page * size))} of ${count(total)}`;
}
