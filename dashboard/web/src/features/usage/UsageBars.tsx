import { Group, Text } from "@mantine/core";
import type { Bar } from "@/features/usage/series";
import { amount, localClock, localDay } from "@/lib/format";

type Props = { bars: readonly Bar[]; metric: string; stepSeconds: number };

/** One bar for each step; the numbers are told on hover, and to whoever cannot see the bars. */
export function UsageBars({ bars, metric, stepSeconds }: Props) {
  const most = Math.max(1, ...bars.map((bar) => bar.amount));
  const name = (bar: Bar) => stepName(bar.time, stepSeconds);
  const first = bars[0];
  const last = bars.at(-1);
  return (
    <div>
      <Text size="xs" c="dimmed">
        highest: {amount(metric, most)} per {stepSeconds === 3600 ? "hour" : "day (UTC)"}
      </Text>
      <ol className="usage-bars" aria-label="Usage over time">
        {bars.map((bar) => (
          <li
            key={bar.time.getTime()}
            title={`${name(bar)}: ${amount(metric, bar.amount)}`}
            aria-label={`${name(bar)}: ${amount(metric, bar.amount)}`}
          >
            <svg viewBox="0 0 1 100" preserveAspectRatio="none" aria-hidden="true">
              <rect x="0" width="1" y={100 - height(bar, most)} height={height(bar, most)} />
            </svg>
          </li>
        ))}
      </ol>
      {first && last && (
        <Group justify="space-between" gap="xs">
          <Text size="xs" c="dimmed">
            {name(first)}
          </Text>
          <Text size="xs" c="dimmed">
            {name(last)}
          </Text>
        </Group>
      )}
    </div>
  );
}

/** Percent of the highest; what is not nothing can be seen. */
function height({ amount: value }: Bar, most: number): number {
  return value === 0 ? 0 : Math.max(2, (100 * value) / most);
}

function stepName(time: Date, stepSeconds: number): string {
  return stepSeconds === 3600 ? `${localDay(time)} ${localClock(time).slice(0, 5)}` : utcDay(time);
}

function utcDay(time: Date): string {
  return time.toISOString().slice(0, 10);
}
