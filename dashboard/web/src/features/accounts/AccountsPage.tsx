import { Badge, Code, EmptyState, Group, Skeleton, Stack, Table, Text } from "@mantine/core";
import { IconServer2 } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import type { Account } from "@/api/schema.gen";
import { Failure } from "@/components/Failure";
import { Moment } from "@/components/Moment";
import { OutdatedNotice } from "@/components/OutdatedNotice";
import { PageHeader } from "@/components/PageHeader";
import { accountsQuery } from "@/features/accounts/queries";
import { stateLook } from "@/features/accounts/state";
import { usePolling } from "@/lib/polling";

export function AccountsPage() {
  const { interval } = usePolling();
  const accounts = useQuery(accountsQuery(interval));
  return (
    <Stack gap="sm">
      <PageHeader title="Accounts" />
      <OutdatedNotice query={accounts} />
      {accounts.isPending && <Skeleton height={160} aria-label="Loading accounts" />}
      {accounts.isLoadingError && <Failure error={accounts.error} onRetry={() => void accounts.refetch()} />}
      {accounts.data?.length === 0 && <NoAccounts />}
      {accounts.data && accounts.data.length > 0 && <AccountTable accounts={accounts.data} />}
      <Text size="xs" c="dimmed">
        Accounts are added with <Code>quota-proxy accounts add</Code>; running proxies act on a change within
        a second.
      </Text>
    </Stack>
  );
}

function AccountTable({ accounts }: { accounts: Account[] }) {
  return (
    <Table.ScrollContainer minWidth={0}>
      <Table fz="sm">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Account</Table.Th>
            <Table.Th>State</Table.Th>
            <Table.Th visibleFrom="sm">Credential</Table.Th>
            <Table.Th visibleFrom="sm">Base URL</Table.Th>
            <Table.Th visibleFrom="md">Added</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {accounts.map((account) => (
            <AccountRow key={account.accountId} account={account} />
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function AccountRow({ account }: { account: Account }) {
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
      </Table.Td>
      <Table.Td visibleFrom="sm">{account.kind === "oauth" ? "OAuth" : "API key"}</Table.Td>
      <Table.Td visibleFrom="sm" className="mono">
        {account.baseUrl}
      </Table.Td>
      <Table.Td visibleFrom="md">
        <Moment value={account.createTime} />
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
      description="Without an account the proxy answers every request with no_accounts."
      py="xl"
    />
  );
}
