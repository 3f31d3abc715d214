import { Button, Divider, Group, NavLink, Popover, Stack } from "@mantine/core";
import { DateTimePicker } from "@mantine/dates";
import { useDisclosure } from "@mantine/hooks";
import { IconChevronDown, IconClock } from "@tabler/icons-react";
import dayjs from "dayjs";
import type { RequestSearch } from "@/features/requests/search";
import { localClock, localDay } from "@/lib/format";
import { RANGE_NAMES, RANGES } from "@/lib/timeRange";

type Props = { search: RequestSearch; change: (changes: Partial<RequestSearch>) => void };

/** When: a range that ends now, or fixed times in the operator's own zone. */
export function TimeFilter({ search, change }: Props) {
  const [opened, menu] = useDisclosure(false);
  const active = Boolean(search.range || search.since || search.until);
  const choose = (range: RequestSearch["range"]) => {
    change({ range, since: undefined, until: undefined });
    menu.close();
  };
  return (
    <Popover opened={opened} onChange={menu.set} position="bottom-start" width={270} trapFocus>
      <Popover.Target>
        <Button
          size="xs"
          variant={active ? "light" : "default"}
          leftSection={<IconClock size={14} />}
          rightSection={<IconChevronDown size={14} />}
          onClick={menu.toggle}
        >
          {timeLabel(search)}
        </Button>
      </Popover.Target>
      <Popover.Dropdown p="xs">
        <NavLink component="button" label="All time" active={!active} onClick={() => choose(undefined)} />
        {RANGE_NAMES.map((name) => (
          <NavLink
            component="button"
            key={name}
            label={RANGES[name].label}
            active={search.range === name}
            onClick={() => choose(name)}
          />
        ))}
        <Divider my="xs" />
        <FixedTimes search={search} change={change} />
      </Popover.Dropdown>
    </Popover>
  );
}

function FixedTimes({ search, change }: Props) {
  const since = search.range ? undefined : search.since;
  const until = search.range ? undefined : search.until;
  return (
    <Stack gap="xs">
      <InstantField
        label="From"
        value={since}
        onChange={(value) => change({ range: undefined, since: value, until })}
      />
      <InstantField
        label="Until"
        value={until}
        onChange={(value) => change({ range: undefined, since, until: value })}
      />
    </Stack>
  );
}

type FieldProps = { label: string; value: string | undefined; onChange: (value: string | undefined) => void };

/** The picker speaks local wall-clock time; the address speaks UTC. */
function InstantField({ label, value, onChange }: FieldProps) {
  return (
    <Group gap="xs" wrap="nowrap">
      <DateTimePicker
        label={label}
        size="xs"
        flex={1}
        clearable
        valueFormat="DD MMM YYYY HH:mm"
        placeholder="any time"
        popoverProps={{ withinPortal: false }}
        value={value ? dayjs(value).format("YYYY-MM-DD HH:mm:ss") : null}
        onChange={(local) => onChange(local ? dayjs(local).toISOString() : undefined)}
      />
    </Group>
  );
}

function timeLabel({ range, since, until }: RequestSearch): string {
  if (range) {
    return RANGES[range].label;
  }
  if (!since && !until) {
    return "All time";
  }
  return `${since ? moment(since) : "…"} – ${until ? moment(until) : "now"}`;
}

function moment(value: string): string {
  const time = new Date(value);
  return `${localDay(time)} ${localClock(time).slice(0, 5)}`;
}
