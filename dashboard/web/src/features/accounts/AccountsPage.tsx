import {
  Badge,
  Button,
  EmptyState,
  Group,
  Skeleton,
  Stack,
  Table,
  Text,
  VisuallyHidden,
} from "@mantine/core";
import { IconPlus, IconServer2 } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { Account } from "@/api/schema.gen";
import { ExportMenu } from "@/components/ExportMenu";
import { Failure } from "@/components/Failure";
import { Moment } from "@/components/Moment";
import { OutdatedNotice } from "@/components/OutdatedNotice";
import { PageHeader } from "@/components/PageHeader";
import {
  AddAccountDialog,
  DeleteAccountDialog,
  ReplaceCredentialsDialog,
} from "@/features/accounts/AccountDialogs";
import { type AccountAction, AccountMenu } from "@/features/accounts/AccountMenu";
import { AccountWindows } from "@/features/accounts/AccountWindows";
import { accountsQuery } from "@/features/accounts/queries";
import { stateLook } from "@/features/accounts/state";
import { usePolling } from "@/lib/polling";

type Dialog = { kind: "add" } | { kind: AccountAction; account: Account };

export function AccountsPage() {
  const { interval } = usePolling();
  const accounts = useQuery(accountsQuery(interval));
  const [dialog, setDialog] = useState<Dialog | null>(null);
  return (
    <Stack gap="sm">
      <PageHeader title="Accounts">
        <ExportMenu path="/api/accounts/export" />
        <Button
          size="xs"
          flex="none"
          leftSection={<IconPlus size={16} />}
          onClick={() => setDialog({ kind: "add" })}
        >
          Add account
        </Button>
      </PageHeader>
      <OutdatedNotice query={accounts} />
      {accounts.isPending && <Skeleton height={160} aria-label="Loading accounts" />}
      {accounts.isLoadingError && <Failure error={accounts.error} onRetry={() => void accounts.refetch()} />}
      {accounts.data?.length === 0 && <NoAccounts />}
      {accounts.data && accounts.data.length > 0 && (
        <AccountTable accounts={accounts.data} open={setDialog} />
      )}
      <Text size="xs" c="dimmed">
        Running proxies act on a change within a second.
      </Text>
      <OpenDialog dialog={dialog} onClose={() => setDialog(null)} />
    </Stack>
  );
}

function OpenDialog({ dialog, onClose }: { dialog: Dialog | null; onClose: () => void }) {
  switch (dialog?.kind) {
    case "add":
      return <AddAccountDialog onClose={onClose} />;
    case "secrets":
      return <ReplaceCredentialsDialog account={dialog.account} onClose={onClose} />;
    case "delete":
      return <DeleteAccountDialog account={dialog.account} onClose={onClose} />;
    default:
      return null;
  }
}

function AccountTable({ accounts, open }: { accounts: Account[]; open: (dialog: Dialog) => void }) {
  return (
    <Table.ScrollContainer minWidth={0}>
      <Table fz="sm">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Account</Table.Th>
            <Table.Th>State</Table.Th>
            <Table.Th>Windows</Table.Th>
            <Table.Th visibleFrom="sm">Credential</Table.Th>
            <Table.Th visibleFrom="sm">Base URL</Table.Th>
            <Table.Th visibleFrom="md">Added</Table.Th>
            <Table.Th w={40}>
              <VisuallyHidden>Actions</VisuallyHidden>
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {accounts.map((account) => (
            <AccountRow
              key={account.accountId}
              account={account}
              onAction={(kind) => open({ kind, account })}
            />
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

type RowProps = { account: Account; onAction: (action: AccountAction) => void };

function AccountRow({ account, onAction }: RowProps) {
  return (
    <Table.Tr>
      <Table.Td>
        <Group gap={6}>
          {account.name}
          {account.isDemo && (
            <Badge
              size="xs"
              variant="outline"
              color="gray"
              tt="none"
              title="Stands in until an account is added"
            >
              demo
            </Badge>
          )}
        </Group>
      </Table.Td>
      <Table.Td>
        <AccountState account={account} />
        {account.lastError && (
          <Text size="xs" c="orange" className="breaks" lineClamp={2} title={account.lastError}>
            {account.lastError}
          </Text>
        )}
      </Table.Td>
      <Table.Td>
        <AccountWindows account={account} />
      </Table.Td>
      <Table.Td visibleFrom="sm">{account.kind === "oauth" ? "OAuth" : "API key"}</Table.Td>
      <Table.Td visibleFrom="sm" className="mono">
        {account.baseUrl}
      </Table.Td>
      <Table.Td visibleFrom="md">
        <Moment value={account.createTime} />
      </Table.Td>
      <Table.Td>
        <AccountMenu account={account} onAction={onAction} />
      </Table.Td>
    </Table.Tr>
  );
}

function AccountState({ account: { state, until, stateReason } }: { account: Account }) {
  const { label, color, meaning } = stateLook(state);
  return (
    <Group gap={6}>
      <Badge size="sm" radius="sm" variant="light" color={color} tt="none" title={meaning}>
        {label}
      </Badge>
      {until && (
        <Text size="xs" c="dimmed">
          until <Moment value={until} />
        </Text>
      )}
      {stateReason && (
        <Text size="xs" c="dimmed">
          {stateReason}
        </Text>
      )}
    </Group>
  );
}

function NoAccounts() {
  return (
    <EmptyState
      icon={<IconServer2 />}
      title="No accounts"
      description="Without an account the proxies answer every request with no_accounts."
      py="xl"
    />
  );
}
