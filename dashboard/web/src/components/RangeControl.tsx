import { SegmentedControl } from "@mantine/core";
import { DEFAULT_RANGE, RANGE_NAMES, RANGES, type RangeName } from "@/lib/timeRange";

type Props = { range: RangeName | undefined; onChange: (range: RangeName | undefined) => void };

/** How far back a whole page looks. */
export function RangeControl({ range = DEFAULT_RANGE, onChange }: Props) {
  return (
    <SegmentedControl
      size="xs"
      aria-label="Time range"
      data={RANGE_NAMES.map((value) => ({ value, label: RANGES[value].short }))}
      value={range}
      onChange={(value) => onChange(value === DEFAULT_RANGE ? undefined : (value as RangeName))}
    />
  );
}
