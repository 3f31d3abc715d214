import { Stack, Text } from "@mantine/core";
import type { Account, UsedWindow } from "@/api/schema.gen";
import { LimitMeter } from "@/features/keys/LimitMeter";
import { seconds, utc } from "@/lib/format";

/** How much of each window is used, when it resets, and how old that is. */
export function AccountWindows({ account: { windows } }: { account: Account }) {
  if (windows.length === 0) {
    return (
      <Text size="xs" c="dimmed">
        none reported
      </Text>
    );
  }
  return (
    <Stack gap={4} miw={120}>
      {windows.map((window) => (
        <WindowLine key={window.window} window={window} />
      ))}
    </Stack>
  );
}

function WindowLine({ window }: { window: UsedWindow }) {
  const { usedPercent, windowMinutes, resetTime, sampleTime } = window;
  const length = windowMinutes === null ? window.window : `${seconds(windowMinutes * 60)} window`;
  const sampled = new Date(sampleTime);
  return (
    <div title={`Reported ${utc(sampled)}`}>
      <Text size="xs">
        {Math.round(usedPercent)} % of its {length}
      </Text>
      <LimitMeter used={usedPercent} held={0} maxValue={100} label={`${length}: percent used`} />
      <Text size="xs" c="dimmed">
        {resetTime !== null && `resets ${resetWords(new Date(resetTime))}, `}
        {age(sampled)}
      </Text>
    </div>
  );
}

function resetWords(time: Date): string {
  const left = (time.getTime() - Date.now()) / 1000;
  return left > 0 ? `in ${seconds(left)}` : "passed";
}

function age(sampled: Date): string {
  return `${seconds((Date.now() - sampled.getTime()) / 1000)} old`;
}
