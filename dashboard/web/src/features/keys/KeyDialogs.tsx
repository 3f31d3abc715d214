import { Button, Group, Modal, Stack, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import type { ApiKey } from "@/api/schema.gen";
import { Failure } from "@/components/Failure";
import { KeyFields } from "@/features/keys/KeyFields";
import { keyDraftOf, useKeyForm } from "@/features/keys/keyForm";
import { useCreateKey, useDeleteKey, useUpdateKey } from "@/features/keys/queries";
import { SecretPanel } from "@/features/keys/SecretPanel";

/** Makes a key and then shows its secret, which only the operator can put away. */
export function CreateKeyDialog({ onClose }: { onClose: () => void }) {
  const form = useKeyForm();
  const create = useCreateKey();
  const secret = create.data?.secret;
  return (
    <Modal
      opened
      onClose={onClose}
      size="xl"
      title={secret ? `Key ${create.data?.name}` : "New key"}
      closeOnClickOutside={false}
      closeOnEscape={!secret}
      withCloseButton={!secret}
    >
      {secret ? (
        <SecretPanel secret={secret} allowedModels={form.values.allowedModels} onDone={onClose} />
      ) : (
        <form onSubmit={form.onSubmit((fields) => create.mutate(keyDraftOf(fields)))} noValidate>
          <Stack gap="md">
            <KeyFields form={form} />
            {create.error && <Failure title="The key was not made" error={create.error} />}
            <DialogButtons label="Create key" loading={create.isPending} onCancel={onClose} />
          </Stack>
        </form>
      )}
    </Modal>
  );
}

export function EditKeyDialog({ apiKey, onClose }: { apiKey: ApiKey; onClose: () => void }) {
  const form = useKeyForm(apiKey);
  const update = useUpdateKey();
  const submit = form.onSubmit((fields) =>
    update.mutate({ apiKey, changes: keyDraftOf(fields) }, { onSuccess: onClose }),
  );
  return (
    <Modal opened onClose={onClose} size="xl" title={`Edit ${apiKey.name}`} closeOnClickOutside={false}>
      <form onSubmit={submit} noValidate>
        <Stack gap="md">
          <KeyFields form={form} />
          <Text size="xs" c="dimmed">
            A changed maximum binds the next request. A rule that stays keeps what it has counted.
          </Text>
          {update.error && <Failure title="The key was not changed" error={update.error} />}
          <DialogButtons label="Save" loading={update.isPending} onCancel={onClose} />
        </Stack>
      </form>
    </Modal>
  );
}

export function DeleteKeyDialog({ apiKey, onClose }: { apiKey: ApiKey; onClose: () => void }) {
  const remove = useDeleteKey();
  const confirm = () =>
    remove.mutate(apiKey.apiKeyId, {
      onSuccess: () => {
        notifications.show({ message: `Key ${apiKey.name} is deleted.` });
        onClose();
      },
    });
  return (
    <Modal opened onClose={onClose} title={`Delete ${apiKey.name}?`}>
      <Stack gap="md">
        <Text size="sm">
          Requests with this key are refused from now on, for good. Those under way finish and are charged.
          Its requests stay in the log.
        </Text>
        {remove.error && <Failure title="The key was not deleted" error={remove.error} />}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose} data-autofocus>
            Keep it
          </Button>
          <Button color="red" loading={remove.isPending} onClick={confirm}>
            Delete key
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}

function DialogButtons({
  label,
  loading,
  onCancel,
}: {
  label: string;
  loading: boolean;
  onCancel: () => void;
}) {
  return (
    <Group justify="flex-end" gap="xs">
      <Button variant="default" onClick={onCancel}>
        Cancel
      </Button>
      <Button type="submit" loading={loading}>
        {label}
      </Button>
    </Group>
  );
}
