import { Modal, SegmentedControl, SimpleGrid, Stack, Text, TextInput } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import type { Account } from "@/api/schema.gen";
import { ConfirmDialog } from "@/components/ConfirmDialog";
import { DialogButtons } from "@/components/DialogButtons";
import { Failure } from "@/components/Failure";
import {
  type AccountForm,
  addedAccountOf,
  credentialsOf,
  importedAccountOf,
  useAccountForm,
  type Way,
} from "@/features/accounts/accountForm";
import {
  useAddAccount,
  useDeleteAccount,
  useImportAccount,
  useReplaceCredentials,
} from "@/features/accounts/queries";
import { SecretInputs } from "@/features/accounts/SecretInputs";

const WAYS: { value: Way; label: string }[] = [
  { value: "apiKey", label: "API key" },
  { value: "tokens", label: "OAuth tokens" },
  { value: "authJson", label: "Codex auth.json" },
];

/** Adds an account by a key, by tokens, or by what the Codex CLI is signed in with. */
export function AddAccountDialog({ onClose }: { onClose: () => void }) {
  const form = useAccountForm("apiKey");
  const add = useAddAccount();
  const imports = useImportAccount();
  const isImport = form.values.way === "authJson";
  const used = isImport ? imports : add;
  const done = {
    onSuccess: ({ name }: Account) => {
      notifications.show({ message: `Account ${name} is added. The proxies use it within a second.` });
      onClose();
    },
  };
  const submit = form.onSubmit((fields) =>
    isImport ? imports.mutate(importedAccountOf(fields), done) : add.mutate(addedAccountOf(fields), done),
  );
  return (
    <Modal opened onClose={onClose} size="lg" title="Add an account" closeOnClickOutside={false}>
      <form onSubmit={submit} noValidate>
        <Stack gap="md">
          <SegmentedControl
            aria-label="How it is given"
            data={WAYS}
            {...form.getInputProps("way")}
            data-autofocus
          />
          <SecretInputs form={form} />
          <PlaceInputs form={form} />
          {used.error && <Failure title="The account was not added" error={used.error} />}
          <DialogButtons label="Add account" loading={used.isPending} onCancel={onClose} />
        </Stack>
      </form>
    </Modal>
  );
}

/** What an account is called, and where it is reached. */
function PlaceInputs({ form }: { form: AccountForm }) {
  const { way } = form.values;
  const name = (
    <TextInput
      label="Name"
      description={way === "authJson" ? "Its e-mail address where it is left out" : "A name of your choice"}
      autoComplete="off"
      {...form.getInputProps("name")}
    />
  );
  if (way === "authJson") {
    return name;
  }
  return (
    <Stack gap="sm">
      {name}
      <TextInput
        label="Base URL"
        description="/responses and so on are appended"
        autoComplete="off"
        spellCheck={false}
        {...form.getInputProps("baseUrl")}
      />
      {way === "tokens" && (
        <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
          <TextInput
            label="Token URL"
            description="Where the refresh token is used"
            autoComplete="off"
            {...form.getInputProps("tokenUrl")}
          />
          <TextInput
            label="Client id"
            description="Of the OAuth client they belong to"
            autoComplete="off"
            {...form.getInputProps("clientId")}
          />
          <TextInput
            label="ChatGPT account id"
            description="May be left out"
            autoComplete="off"
            {...form.getInputProps("chatgptAccountId")}
          />
        </SimpleGrid>
      )}
      <TextInput
        label="Usage URL"
        description="Where it tells its usage windows; may be left out"
        autoComplete="off"
        {...form.getInputProps("usageUrl")}
      />
    </Stack>
  );
}

type Props = { account: Account; onClose: () => void };

/** Gives an account other secrets of the kind that it has. */
export function ReplaceCredentialsDialog({ account, onClose }: Props) {
  const form = useAccountForm(account.kind === "oauth" ? "tokens" : "apiKey", { isThere: true });
  const replace = useReplaceCredentials();
  const submit = form.onSubmit((fields) =>
    replace.mutate(
      { accountId: account.accountId, credentials: credentialsOf(fields) },
      {
        onSuccess: () => {
          notifications.show({ message: `Account ${account.name} has other secrets.` });
          onClose();
        },
      },
    ),
  );
  return (
    <Modal
      opened
      onClose={onClose}
      size="lg"
      title={`Secrets of ${account.name}`}
      closeOnClickOutside={false}
    >
      <form onSubmit={submit} noValidate>
        <Stack gap="md">
          {account.kind === "oauth" && (
            <SegmentedControl
              aria-label="How they are given"
              data={WAYS.slice(1)}
              {...form.getInputProps("way")}
            />
          )}
          <SecretInputs form={form} />
          <Text size="xs" c="dimmed">
            They take the place of those that are stored, and an account that has to sign in again is active
            with them.
          </Text>
          {replace.error && <Failure title="The secrets were not stored" error={replace.error} />}
          <DialogButtons label="Store" loading={replace.isPending} onCancel={onClose} />
        </Stack>
      </form>
    </Modal>
  );
}

export function DeleteAccountDialog({ account, onClose }: Props) {
  const remove = useDeleteAccount();
  const confirm = () =>
    remove.mutate(account, {
      onSuccess: () => {
        notifications.show({ message: `Account ${account.name} is removed.` });
        onClose();
      },
    });
  return (
    <ConfirmDialog
      title={`Remove ${account.name}?`}
      confirmLabel="Remove account"
      failureTitle="The account was not removed"
      error={remove.error}
      loading={remove.isPending}
      onConfirm={confirm}
      onClose={onClose}
    >
      The proxies send nothing more to it, and its secrets are deleted for good. Requests under way finish.
      Its requests stay in the log.
    </ConfirmDialog>
  );
}
