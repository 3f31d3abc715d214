import { Group, Paper, SimpleGrid, Stack, Text, Title } from "@mantine/core";
import type { AccountWindow } from "@/api/schema.gen";
import { Moment } from "@/components/Moment";
import { LimitMeter } from "@/features/keys/LimitMeter";
import { seconds } from "@/lib/format";

/** How much of each account's own windows is used, and how old that knowledge is. */
export function AccountWindows({ windows }: { windows: AccountWindow[] }) {
  return (
    <Stack gap="xs" component="section">
      <Title order={2}>Accounts' windows</Title>
      {windows.length === 0 ? (
        <Text size="sm" c="dimmed">
          No account has reported a usage window.
        </Text>
      ) : (
        <SimpleGrid cols={{ base: 1, sm: 2, lg: 4 }} spacing="sm">
          {windows.map((window) => (
            <WindowCard key={`${window.accountId} ${window.window}`} window={window} />
          ))}
        </SimpleGrid>
      )}
    </Stack>
  );
}

function WindowCard({ window }: { window: AccountWindow }) {
  const { accountName, usedPercent, windowSeconds, resetTime, ageSeconds } = window;
  return (
    <Paper withBorder p="sm">
      <Group justify="space-between" gap="xs" wrap="nowrap">
        <Text size="sm" truncate title={accountName}>
          {accountName}
        </Text>
        <Text size="xs" c="dimmed" className="nowrap">
          {windowSeconds ? `per ${seconds(windowSeconds)}` : window.window}
        </Text>
      </Group>
      <LimitMeter used={usedPercent} held={0} maxValue={100} label={`${accountName}: used`} />
      <Text size="xs" c="dimmed">
        <Text span inherit c="bright">
          {Math.round(usedPercent)} % used
        </Text>
        {resetTime && (
          <>
            {" "}
            · resets <Moment value={resetTime} />
          </>
        )}
        {` · read ${seconds(ageSeconds)} ago`}
      </Text>
    </Paper>
  );
}
