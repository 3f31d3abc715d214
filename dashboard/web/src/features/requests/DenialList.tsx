import { Paper, Stack, Text } from "@mantine/core";
import { FactSection } from "@/components/Facts";
import { Moment } from "@/components/Moment";
import { LimitMeter } from "@/features/keys/LimitMeter";
import { limitName } from "@/features/keys/rule";
import type { Denial, Violation } from "@/features/requests/denial";
import { amount, seconds } from "@/lib/format";

/** Every limit that refused the request, as it stood then. */
export function DenialList({ denial }: { denial: Denial }) {
  return (
    <FactSection title="Refused by">
      <Stack gap="xs">
        {denial.limits.map((limit) => (
          <Paper key={limit.limitId} withBorder p="sm">
            <Text size="sm" fw={600}>
              {limitName(limit)}
            </Text>
            <LimitMeter used={limit.used} held={limit.held} maxValue={limit.maxValue} />
            <Text size="xs">{violationWords(limit)}</Text>
            {limit.resetTime && (
              <Text size="xs" c="dimmed">
                Resets <Moment value={limit.resetTime} />
              </Text>
            )}
          </Paper>
        ))}
        {denial.retryAfterSeconds !== null && (
          <Text size="sm" c="dimmed">
            The client was told to come back in {seconds(denial.retryAfterSeconds)}.
          </Text>
        )}
      </Stack>
    </FactSection>
  );
}

function violationWords({ metric, requested, available, maxValue, blockedBy, neverFits }: Violation): string {
  if (neverFits) {
    return `Asked for ${amount(metric, requested)}, more than the whole limit of ${amount(metric, maxValue)}.`;
  }
  const why = blockedBy === "held" ? "open requests hold the rest" : "the rest is used up";
  return `Asked for ${amount(metric, requested)}, ${amount(metric, available)} free; ${why}.`;
}
