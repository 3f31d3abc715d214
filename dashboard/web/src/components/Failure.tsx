import { Alert, Button, Group, Text } from "@mantine/core";
import { IconAlertTriangle, IconRefresh } from "@tabler/icons-react";

type Props = { error: Error; title?: string; onRetry?: () => void };

/** An error where the content would stand: what happened, and what can be done. */
export function Failure({ error, title = "This could not be loaded", onRetry }: Props) {
  return (
    <Alert
      icon={<IconAlertTriangle size={18} color="var(--mantine-color-red-6)" />}
      title={title}
      role="alert"
    >
      <Group justify="space-between" align="center" gap="sm">
        <Text size="sm">{error.message}</Text>
        {onRetry && (
          <Button
            size="compact-sm"
            variant="default"
            leftSection={<IconRefresh size={14} />}
            onClick={onRetry}
          >
            Try again
          </Button>
        )}
      </Group>
    </Alert>
  );
}
