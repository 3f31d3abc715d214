import { Paper, SimpleGrid, Text } from "@mantine/core";
import type { Totals } from "@/api/schema.gen";
import { percentWords } from "@/features/overview/series";
import { amount, count, shortCount } from "@/lib/format";

/** The range in five numbers. */
export function Numbers({ usage, range }: { usage: Totals; range: string }) {
  const { requestCount, refusedCount, errorCount, totalTokens, costMicrousd } = usage;
  return (
    <SimpleGrid cols={{ base: 2, sm: 3, md: 5 }} spacing="sm">
      <NumberCard label="Requests" value={count(requestCount)} hint={range} />
      <NumberCard label="Tokens" value={shortCount(totalTokens)} hint={range} title={count(totalTokens)} />
      <NumberCard label="Cost" value={amount("cost_microusd", costMicrousd)} hint={range} />
      <NumberCard
        label="Refused"
        value={percentWords(refusedCount, requestCount)}
        hint={`${count(refusedCount)} by a limit`}
        tone={refusedCount > 0 ? "warns" : undefined}
      />
      <NumberCard
        label="Failed"
        value={percentWords(errorCount, requestCount)}
        hint={`${count(errorCount)} for other reasons`}
        tone={errorCount > 0 ? "alarms" : undefined}
      />
    </SimpleGrid>
  );
}

type CardProps = { label: string; value: string; hint: string; tone?: string | undefined; title?: string };

function NumberCard({ label, value, hint, tone, title }: CardProps) {
  return (
    <Paper withBorder p="sm">
      <Text size="xs" c="dimmed">
        {label}
      </Text>
      <Text fz="xl" fw={600} lh={1.3} className={tone} title={title}>
        {value}
      </Text>
      <Text size="xs" c="dimmed" truncate>
        {hint}
      </Text>
    </Paper>
  );
}
