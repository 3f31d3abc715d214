import { Progress } from "@mantine/core";

type Props = { used: number; held: number; maxValue: number; label?: string };

/** Used, then held, then free: one bar, on which a full limit cannot be overlooked. */
export function LimitMeter({ used, held, maxValue, label = "Used" }: Props) {
  const usedPercent = percent(used, maxValue);
  const heldPercent = Math.min(percent(held, maxValue), 100 - usedPercent);
  return (
    <Progress.Root size={8} my={5}>
      <Progress.Section
        value={usedPercent}
        color={fillColor(percent(used + held, maxValue))}
        aria-label={label}
        title="used"
      />
      <Progress.Section
        value={heldPercent}
        color="gray"
        striped
        withAria={false}
        title="held by open requests"
      />
    </Progress.Root>
  );
}

function percent(part: number, whole: number): number {
  if (whole === 0) {
    return 100;
  }
  return Math.min(100, (100 * part) / whole);
}

const NEARLY_FULL_PERCENT = 80;

function fillColor(filledPercent: number): string {
  if (filledPercent >= 100) {
    return "red";
  }
  return filledPercent >= NEARLY_FULL_PERCENT ? "orange" : "indigo";
}
