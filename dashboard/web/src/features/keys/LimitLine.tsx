import { Badge, Group, Text } from "@mantine/core";
import type { LimitStatus } from "@/api/schema.gen";
import { LimitMeter } from "@/features/keys/LimitMeter";
import { limitName, ruleInWords } from "@/features/keys/rule";
import { amount, seconds, utc } from "@/lib/format";

type Props = {
  limit: LimitStatus;
  now: Date;
  /** The group that it belongs to, where it is not the key's own. */
  sharedBy?: string;
};

/** One limit: its rule, how full its current window is, and when that ends. */
export function LimitLine({ limit, now, sharedBy }: Props) {
  const { metric, used, held, available, maxValue } = limit;
  return (
    <div data-limit={limit.metric} data-shared={sharedBy}>
      <Group justify="space-between" gap="xs" wrap="nowrap" align="baseline">
        <Group gap={6} wrap="nowrap" miw={0}>
          <Text size="sm" truncate title={ruleInWords(limit)}>
            {limitName(limit)}
          </Text>
          {limit.enforcement === "shadow" && (
            <Badge
              size="xs"
              variant="outline"
              color="gray"
              tt="none"
              flex="none"
              title="Counts, but refuses nothing"
            >
              shadow
            </Badge>
          )}
          {sharedBy !== undefined && (
            <Badge
              size="xs"
              variant="outline"
              color="gray"
              tt="none"
              flex="0 1 auto"
              title={`All keys below the group ${sharedBy} share it`}
            >
              {sharedBy}
            </Badge>
          )}
        </Group>
        <Text size="xs" c="dimmed" className="nowrap">
          {resetWords(limit, now)}
        </Text>
      </Group>
      <LimitMeter used={used} held={held} maxValue={maxValue} label={`${limitName(limit)}: used`} />
      <Text size="xs" c="dimmed">
        <Text span inherit {...(available === 0 ? { className: "alarms" } : { c: "bright" })}>
          {metric === "concurrency" ? `${amount(metric, held)} open` : `${amount(metric, used)} used`}
        </Text>
        {metric !== "concurrency" && held > 0 && ` · ${amount(metric, held)} held`}
        {` · ${amount(metric, available)} free of ${amount(metric, maxValue)}`}
      </Text>
    </div>
  );
}

function resetWords({ metric, resetTime }: LimitStatus, now: Date) {
  if (metric === "concurrency") {
    return null;
  }
  if (resetTime === null) {
    return "never resets";
  }
  const time = new Date(resetTime);
  return (
    <time dateTime={resetTime} title={utc(time)}>
      resets in {seconds((time.getTime() - now.getTime()) / 1000)}
    </time>
  );
}
