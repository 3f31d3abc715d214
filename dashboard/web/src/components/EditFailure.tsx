import { Alert, Button, Group, Stack, Text } from "@mantine/core";
import { IconArrowsSplit2 } from "@tabler/icons-react";
import { ApiError } from "@/api/errors";
import { Failure } from "@/components/Failure";

const CONFLICTS = new Set(["etag_mismatch", "settings_conflict"]);

type Props = {
  error: Error;
  title: string;
  /** Whether what stands there has been read since the edit was refused. */
  isReadAgain: boolean;
  onStartAgain: () => void;
  onKeepMine: () => void;
};

/** Why an edit was not made; where somebody else was faster, the two ways on. */
export function EditFailure({ error, title, isReadAgain, onStartAgain, onKeepMine }: Props) {
  if (!(error instanceof ApiError && CONFLICTS.has(error.code))) {
    return <Failure title={title} error={error} />;
  }
  return (
    <Alert
      icon={<IconArrowsSplit2 size={18} color="var(--mantine-color-yellow-6)" />}
      title="It was changed while you were editing"
      role="alert"
    >
      <Stack gap="xs">
        <Text size="sm">
          Nothing of yours was saved. Look at what stands there, or put what you have entered over it.
        </Text>
        <Group gap="xs">
          <Button size="compact-sm" variant="default" disabled={!isReadAgain} onClick={onStartAgain}>
            Show what stands there
          </Button>
          <Button size="compact-sm" variant="default" disabled={!isReadAgain} onClick={onKeepMine}>
            Keep mine
          </Button>
        </Group>
      </Stack>
    </Alert>
  );
}
