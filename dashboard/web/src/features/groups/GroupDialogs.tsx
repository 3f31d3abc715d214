import { Modal, Stack, Text, TextInput } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useState } from "react";
import type { Group } from "@/api/schema.gen";
import { ConfirmDialog } from "@/components/ConfirmDialog";
import { DialogButtons } from "@/components/DialogButtons";
import { EditFailure } from "@/components/EditFailure";
import { Failure } from "@/components/Failure";
import { GroupSelect } from "@/features/groups/GroupSelect";
import {
  type GroupForm,
  groupDraftOf,
  groupFieldsOf,
  newGroupFields,
  useGroupForm,
} from "@/features/groups/groupForm";
import { useCreateGroup, useDeleteGroup, useUpdateGroup } from "@/features/groups/queries";
import { below } from "@/features/groups/tree";
import { LimitsEditor } from "@/features/keys/LimitsEditor";

type CreateProps = { parentGroupId: string; onClose: () => void };

export function CreateGroupDialog({ parentGroupId, onClose }: CreateProps) {
  const form = useGroupForm(newGroupFields(parentGroupId));
  const create = useCreateGroup();
  const submit = form.onSubmit((fields) => create.mutate(groupDraftOf(fields), { onSuccess: onClose }));
  return (
    <Modal opened onClose={onClose} size="xl" title="New group" closeOnClickOutside={false}>
      <form onSubmit={submit} noValidate>
        <Stack gap="md">
          <GroupFieldset form={form} />
          {create.error && <Failure title="The group was not made" error={create.error} />}
          <DialogButtons label="Create group" loading={create.isPending} onCancel={onClose} />
        </Stack>
      </form>
    </Modal>
  );
}

/** `group` is as it was read last, which may be later than what the form began with. */
export function EditGroupDialog({
  group,
  groups,
  onClose,
}: {
  group: Group;
  groups: Group[];
  onClose: () => void;
}) {
  const [base, setBase] = useState(group);
  const form = useGroupForm(groupFieldsOf(base));
  const update = useUpdateGroup();
  const submit = form.onSubmit((fields) =>
    update.mutate({ group: base, changes: groupDraftOf(fields) }, { onSuccess: onClose }),
  );
  const goOnFrom = (latest: Group) => {
    setBase(latest);
    update.reset();
  };
  const startAgain = () => {
    form.setValues(groupFieldsOf(group));
    goOnFrom(group);
  };
  return (
    <Modal opened onClose={onClose} size="xl" title={`Edit ${base.name}`} closeOnClickOutside={false}>
      <form onSubmit={submit} noValidate>
        <Stack gap="md">
          <GroupFieldset form={form} without={below(groups, group.groupId)} />
          <Text size="xs" c="dimmed">
            A group moves with all below it. A rule that stays keeps what it has counted.
          </Text>
          {update.error && (
            <EditFailure
              title="The group was not changed"
              error={update.error}
              isReadAgain={group.etag !== base.etag}
              onStartAgain={startAgain}
              onKeepMine={() => goOnFrom(group)}
            />
          )}
          <DialogButtons label="Save" loading={update.isPending} onCancel={onClose} />
        </Stack>
      </form>
    </Modal>
  );
}

export function DeleteGroupDialog({ group, onClose }: { group: Group; onClose: () => void }) {
  const remove = useDeleteGroup();
  const confirm = () =>
    remove.mutate(group, {
      onSuccess: () => {
        notifications.show({ message: `Group ${group.name} is deleted.` });
        onClose();
      },
    });
  return (
    <ConfirmDialog
      title={`Delete ${group.name}?`}
      confirmLabel="Delete group"
      failureTitle="The group was not deleted"
      error={remove.error}
      loading={remove.isPending}
      onConfirm={confirm}
      onClose={onClose}
    >
      Only a group that no key and no group is in can be deleted. Its limits go with it.
    </ConfirmDialog>
  );
}

function GroupFieldset({ form, without }: { form: GroupForm; without?: ReadonlySet<string> }) {
  return (
    <Stack gap="md">
      <TextInput
        label="Name"
        description="A team, a customer, an organisation"
        autoComplete="off"
        data-autofocus
        {...form.getInputProps("name")}
      />
      <GroupSelect
        label="Below"
        description="At most four levels; the limits of every level bind all that is below it"
        placeholder="nothing: the root of a tree"
        without={without}
        {...form.getInputProps("parentGroupId")}
      />
      <LimitsEditor form={form} whenEmpty="Without a limit the group only holds together what is below it." />
    </Stack>
  );
}
