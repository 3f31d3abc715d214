import { Button, Group, Modal, Stack, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { Failure } from "@/components/Failure";
import { useDisableTotp, useRenewRecoveryCodes } from "@/features/security/queries";
import { RecoveryCodes } from "@/features/security/RecoveryCodes";
import { CodeForm } from "@/features/session/CodeForm";

export function DisableTotpDialog({ onClose }: { onClose: () => void }) {
  const disable = useDisableTotp();
  const done = () => {
    notifications.show({ message: "One-time passwords are off." });
    onClose();
  };
  return (
    <Modal
      opened
      onClose={onClose}
      title="Turn one-time passwords off?"
      closeButtonProps={{ "aria-label": "Close" }}
    >
      <Stack gap="md">
        <Text size="sm">
          The password alone will sign in. The recovery codes end, too. One more code shows that it is you.
        </Text>
        <CodeForm
          label="Turn off"
          color="red"
          failure="They are still on"
          error={disable.error}
          loading={disable.isPending}
          onSubmit={(given) => disable.mutate(given, { onSuccess: done })}
        />
      </Stack>
    </Modal>
  );
}

export function RenewCodesDialog({ onClose }: { onClose: () => void }) {
  const renew = useRenewRecoveryCodes();
  const codes = renew.data?.recoveryCodes;
  return (
    <Modal
      opened
      onClose={onClose}
      title="New recovery codes"
      withCloseButton={!codes}
      closeOnEscape={!codes}
      closeOnClickOutside={false}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {codes ? (
        <RecoveryCodes codes={codes} onDone={onClose} />
      ) : (
        <Stack gap="md">
          <Text size="sm">The codes that you have now stop working.</Text>
          {renew.error && <Failure title="No codes were made" error={renew.error} />}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose} data-autofocus>
              Keep them
            </Button>
            <Button loading={renew.isPending} onClick={() => renew.mutate()}>
              Make new codes
            </Button>
          </Group>
        </Stack>
      )}
    </Modal>
  );
}
