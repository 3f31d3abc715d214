import { Modal, Select, Stack, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { type FormEvent, useState } from "react";
import type { ApiKey } from "@/api/schema.gen";
import { ConfirmDialog } from "@/components/ConfirmDialog";
import { DialogButtons } from "@/components/DialogButtons";
import { EditFailure } from "@/components/EditFailure";
import { Failure } from "@/components/Failure";
import { KeyFields } from "@/features/keys/KeyFields";
import { keyDraftOf, keyFieldsOf, useKeyForm } from "@/features/keys/keyForm";
import { useCreateKey, useDeleteKey, useRotateKey, useUpdateKey } from "@/features/keys/queries";
import { SecretDialog } from "@/features/keys/SecretDialog";

/** Makes a key and then shows its secret, which only the operator can put away. */
export function CreateKeyDialog({ onClose }: { onClose: () => void }) {
  const form = useKeyForm();
  const create = useCreateKey();
  if (create.data) {
    return (
      <SecretDialog
        title={`Key ${create.data.name}`}
        secret={create.data.secret}
        allowedModels={form.values.allowedModels}
        onDone={onClose}
      />
    );
  }
  return (
    <Modal opened onClose={onClose} size="xl" title="New key" closeOnClickOutside={false}>
      <form onSubmit={form.onSubmit((fields) => create.mutate(keyDraftOf(fields)))} noValidate>
        <Stack gap="md">
          <KeyFields form={form} />
          {create.error && <Failure title="The key was not made" error={create.error} />}
          <DialogButtons label="Create key" loading={create.isPending} onCancel={onClose} />
        </Stack>
      </form>
    </Modal>
  );
}

/** `apiKey` is the key as it was read last, which may be later than what the form began with. */
export function EditKeyDialog({ apiKey, onClose }: { apiKey: ApiKey; onClose: () => void }) {
  const [base, setBase] = useState(apiKey);
  const form = useKeyForm(base);
  const update = useUpdateKey();
  const submit = form.onSubmit((fields) =>
    update.mutate({ apiKey: base, changes: keyDraftOf(fields) }, { onSuccess: onClose }),
  );
  const goOnFrom = (latest: ApiKey) => {
    setBase(latest);
    update.reset();
  };
  const startAgain = () => {
    form.setValues(keyFieldsOf(apiKey));
    goOnFrom(apiKey);
  };
  return (
    <Modal opened onClose={onClose} size="xl" title={`Edit ${base.name}`} closeOnClickOutside={false}>
      <form onSubmit={submit} noValidate>
        <Stack gap="md">
          <KeyFields form={form} />
          <Text size="xs" c="dimmed">
            A changed maximum binds the next request. A rule that stays keeps what it has counted.
          </Text>
          {update.error && (
            <EditFailure
              title="The key was not changed"
              error={update.error}
              isReadAgain={apiKey.etag !== base.etag}
              onStartAgain={startAgain}
              onKeepMine={() => goOnFrom(apiKey)}
            />
          )}
          <DialogButtons label="Save" loading={update.isPending} onCancel={onClose} />
        </Stack>
      </form>
    </Modal>
  );
}

const GRACES = [
  { value: "0", label: "no longer" },
  { value: "3600", label: "for 1 hour more" },
  { value: "86400", label: "for 1 day more" },
  { value: "604800", label: "for 7 days more" },
  { value: "2592000", label: "for 30 days more" },
];

/** Gives a key another secret; the present one can go on working while its users change over. */
export function RotateKeyDialog({ apiKey, onClose }: { apiKey: ApiKey; onClose: () => void }) {
  const [grace, setGrace] = useState("86400");
  const rotate = useRotateKey();
  if (rotate.data) {
    return (
      <SecretDialog
        title={`Another secret of ${apiKey.name}`}
        secret={rotate.data.secret}
        allowedModels={apiKey.allowedModels}
        onDone={onClose}
      />
    );
  }
  const submit = (event: FormEvent) => {
    event.preventDefault();
    rotate.mutate({ apiKey, graceSeconds: Number(grace) });
  };
  return (
    <Modal opened onClose={onClose} title={`Rotate the secret of ${apiKey.name}`}>
      <form onSubmit={submit}>
        <Stack gap="md">
          <Select
            label="The present secret works"
            description={
              grace === "0"
                ? "Requests with it are refused at once; those under way finish and are charged"
                : "Long enough for all who use it to change over"
            }
            allowDeselect={false}
            data={GRACES}
            value={grace}
            onChange={(value) => setGrace(value ?? grace)}
            data-autofocus
          />
          {rotate.error && <Failure title="The secret was not rotated" error={rotate.error} />}
          <DialogButtons label="Rotate" loading={rotate.isPending} onCancel={onClose} />
        </Stack>
      </form>
    </Modal>
  );
}

export function DeleteKeyDialog({ apiKey, onClose }: { apiKey: ApiKey; onClose: () => void }) {
  const remove = useDeleteKey();
  const confirm = () =>
    remove.mutate(apiKey, {
      onSuccess: () => {
        notifications.show({ message: `Key ${apiKey.name} is deleted.` });
        onClose();
      },
    });
  return (
    <ConfirmDialog
      title={`Delete ${apiKey.name}?`}
      confirmLabel="Delete key"
      failureTitle="The key was not deleted"
      error={remove.error}
      loading={remove.isPending}
      onConfirm={confirm}
      onClose={onClose}
    >
      Requests with this key are refused from now on, for good. Those under way finish and are charged. Its
      requests stay in the log.
    </ConfirmDialog>
  );
}
