import { Button, Menu } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { stringifySearchParams } from "@/lib/searchParams";

type Props = { path: string; query?: Record<string, unknown> };

/** The whole table under its filters, as a file. */
export function ExportMenu({ path, query = {} }: Props) {
  const href = (format: string) => `${path}${stringifySearchParams({ ...query, format })}`;
  return (
    <Menu position="bottom-end" width={150}>
      <Menu.Target>
        <Button size="xs" flex="none" variant="default" leftSection={<IconDownload size={14} />}>
          Export
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item component="a" href={href("csv")} download>
          CSV
        </Menu.Item>
        <Menu.Item component="a" href={href("json")} download>
          JSON
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
