import { Badge, Button, Group, Stack, Table, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQuery } from "@tanstack/react-query";
import type { OperatorSession } from "@/api/schema.gen";
import { Failure } from "@/components/Failure";
import { Loading } from "@/components/Loading";
import { Moment } from "@/components/Moment";
import { OutdatedNotice } from "@/components/OutdatedNotice";
import { sessionsQuery, useRevokeOtherSessions, useRevokeSession } from "@/features/security/queries";
import { Section } from "@/features/security/Section";
import { browserName } from "@/features/security/userAgent";
import { usePolling } from "@/lib/polling";

/** Where the operator is signed in, and ending it there. */
export function SessionSection() {
  const { interval } = usePolling();
  const sessions = useQuery(sessionsQuery(interval));
  const revokeOthers = useRevokeOtherSessions();
  const others = sessions.data?.filter((session) => !session.isCurrent).length ?? 0;
  return (
    <Section
      title="Sessions"
      hint="Where you are signed in. End what you do not know, then change the password."
      action={
        others > 0 && (
          <Button
            size="xs"
            variant="default"
            loading={revokeOthers.isPending}
            onClick={() => revokeOthers.mutate(undefined, { onError: tell })}
          >
            End all others
          </Button>
        )
      }
    >
      <OutdatedNotice query={sessions} />
      {sessions.isPending && <Loading height={60} label="Loading sessions" />}
      {sessions.isLoadingError && <Failure error={sessions.error} onRetry={() => void sessions.refetch()} />}
      {sessions.data && <SessionTable sessions={sessions.data} />}
    </Section>
  );
}

function SessionTable({ sessions }: { sessions: OperatorSession[] }) {
  return (
    <Table fz="sm">
      <Table.Thead>
        <Table.Tr className="nowrap">
          <Table.Th>Session</Table.Th>
          <Table.Th visibleFrom="xs">Signed in</Table.Th>
          <Table.Th visibleFrom="sm">Last used</Table.Th>
          <Table.Th visibleFrom="sm">Ends</Table.Th>
          <Table.Th aria-label="Actions" />
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {sessions.map((session) => (
          <SessionRow key={session.sessionId} session={session} />
        ))}
      </Table.Tbody>
    </Table>
  );
}

function SessionRow({ session }: { session: OperatorSession }) {
  const revoke = useRevokeSession();
  return (
    <Table.Tr>
      <Table.Td>
        <Stack gap={0}>
          <Group gap={6}>
            <span title={session.userAgent}>{browserName(session.userAgent)}</span>
            {session.isCurrent && (
              <Badge size="xs" radius="sm" variant="light" tt="none">
                current
              </Badge>
            )}
          </Group>
          <Text size="xs" c="dimmed">
            {session.address} · <span className="mono">{session.sessionId}</span>
          </Text>
        </Stack>
      </Table.Td>
      <Table.Td visibleFrom="xs">
        <Moment value={session.createTime} />
      </Table.Td>
      <Table.Td visibleFrom="sm">
        <Moment value={session.seenTime} />
      </Table.Td>
      <Table.Td visibleFrom="sm">
        <Moment value={session.expireTime} />
      </Table.Td>
      <Table.Td ta="right">
        {!session.isCurrent && (
          <Button
            size="compact-xs"
            variant="default"
            loading={revoke.isPending}
            aria-label={`End session ${session.sessionId}`}
            onClick={() => revoke.mutate(session.sessionId, { onError: tell })}
          >
            End
          </Button>
        )}
      </Table.Td>
    </Table.Tr>
  );
}

function tell(error: Error): void {
  notifications.show({ color: "red", title: "The session was not ended", message: error.message });
}
