import { Button, Group, Modal, Stack, Text } from "@mantine/core";
import type { ReactNode } from "react";
import { Failure } from "@/components/Failure";

type Props = {
  title: string;
  /** What will happen. */
  children: ReactNode;
  confirmLabel: string;
  failureTitle: string;
  error: Error | null;
  loading: boolean;
  onConfirm: () => void;
  onClose: () => void;
};

/** Asks before something that cannot be taken back; the way out is what Enter chooses. */
export function ConfirmDialog({ title, children, confirmLabel, failureTitle, error, ...rest }: Props) {
  return (
    <Modal opened onClose={rest.onClose} title={title}>
      <Stack gap="md">
        <Text size="sm">{children}</Text>
        {error && <Failure title={failureTitle} error={error} />}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={rest.onClose} data-autofocus>
            Keep it
          </Button>
          <Button color="red" loading={rest.loading} onClick={rest.onConfirm}>
            {confirmLabel}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
