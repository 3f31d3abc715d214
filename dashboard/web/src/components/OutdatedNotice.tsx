import { Alert, Text } from "@mantine/core";
import { IconCloudOff } from "@tabler/icons-react";
import { localClock } from "@/lib/format";

type Props = { query: { data: unknown; error: Error | null; dataUpdatedAt: number } };

/** Says that what is shown is the last good answer, because the newest question failed. */
export function OutdatedNotice({ query }: Props) {
  if (query.data === undefined || query.error === null) {
    return null;
  }
  return (
    <Alert p="xs" icon={<IconCloudOff size={18} color="var(--mantine-color-yellow-6)" />} role="status">
      <Text size="sm">
        This was read at {localClock(new Date(query.dataUpdatedAt))}. {query.error.message}
      </Text>
    </Alert>
  );
}
