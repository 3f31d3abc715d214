import { Group, type MantineBreakpoint, Skeleton, Table, Text, UnstyledButton } from "@mantine/core";
import type { RequestLog } from "@/api/schema.gen";
import { Moment } from "@/components/Moment";
import { StatusBadge } from "@/features/requests/StatusBadge";
import { isUncertain, settlementWords } from "@/features/requests/status";
import { amount, COST, count, milliseconds } from "@/lib/format";
import { HEADER_PIXELS } from "@/theme";

type Props = { requests: RequestLog[]; faded: boolean; onOpen: (request: RequestLog) => void };

export function RequestTable({ requests, faded, onOpen }: Props) {
  return (
    <div className="wide-table">
      <Table
        highlightOnHover
        horizontalSpacing="xs"
        stickyHeader
        stickyHeaderOffset={HEADER_PIXELS}
        fz="sm"
        opacity={faded ? 0.6 : 1}
        aria-busy={faded}
      >
        <RequestTableHead />
        <Table.Tbody>
          {requests.map((request) => (
            <RequestRow key={request.requestLogId} request={request} onOpen={onOpen} />
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}

function RequestTableHead() {
  return (
    <Table.Thead>
      <Table.Tr className="nowrap">
        <Table.Th>Time</Table.Th>
        <Table.Th>Status</Table.Th>
        <Table.Th>Key</Table.Th>
        <Table.Th visibleFrom="xs">Model</Table.Th>
        <Table.Th visibleFrom="lg">Account</Table.Th>
        <Table.Th ta="right" hiddenFrom="md">
          Tokens
        </Table.Th>
        <Table.Th ta="right" visibleFrom="md">
          Tokens in
        </Table.Th>
        <Table.Th ta="right" visibleFrom="md">
          Out
        </Table.Th>
        <Table.Th ta="right" visibleFrom="lg">
          Cost
        </Table.Th>
        <Table.Th ta="right" visibleFrom="lg">
          First byte
        </Table.Th>
        <Table.Th ta="right" visibleFrom="sm">
          Duration
        </Table.Th>
        <Table.Th visibleFrom="lg">Reservation</Table.Th>
      </Table.Tr>
    </Table.Thead>
  );
}

function RequestRow({ request, onOpen }: { request: RequestLog; onOpen: (request: RequestLog) => void }) {
  return (
    <Table.Tr data-opens onClick={() => onOpen(request)}>
      <Table.Td>
        <UnstyledButton fz="inherit" lh="inherit" aria-haspopup="dialog">
          <Moment value={request.startTime} />
        </UnstyledButton>
      </Table.Td>
      <Table.Td className="status-cell">
        <Group gap={6} wrap="nowrap">
          <StatusBadge status={request.status} />
          <SharedBy count={request.count} />
          <HttpOutcome request={request} />
        </Group>
      </Table.Td>
      <NameCell name={request.apiKeyName} />
      <NameCell name={request.model} visibleFrom="xs" />
      <NameCell name={request.accountName} visibleFrom="lg" />
      <NumberCell value={request.totalTokens} hiddenFrom="md" />
      <NumberCell value={request.inputTokens} visibleFrom="md" />
      <NumberCell value={request.outputTokens} visibleFrom="md" />
      <Table.Td ta="right" className="nowrap" visibleFrom="lg">
        {request.costMicrousd === null ? <Nothing /> : amount(COST, request.costMicrousd)}
      </Table.Td>
      <Table.Td ta="right" className="nowrap" visibleFrom="lg">
        {request.firstByteMs === null ? <Nothing /> : milliseconds(request.firstByteMs)}
      </Table.Td>
      <Table.Td ta="right" className="nowrap" visibleFrom="sm">
        {milliseconds(request.durationMs)}
      </Table.Td>
      <Table.Td className="nowrap" visibleFrom="lg">
        <Settlement request={request} />
      </Table.Td>
    </Table.Tr>
  );
}

/** A name that may be long: cut off in the line, whole on hover. */
function NameCell({ name, visibleFrom }: { name: string | null; visibleFrom?: MantineBreakpoint }) {
  return (
    <Table.Td visibleFrom={visibleFrom} className="name-cell" title={name ?? undefined}>
      {name || <Nothing />}
    </Table.Td>
  );
}

/** How many requests share the row, where refusals came too fast for a row each. */
function SharedBy({ count: requests }: { count: number }) {
  if (requests === 1) {
    return null;
  }
  return (
    <Text size="xs" fw={600} className="nowrap" title={`${count(requests)} requests`}>
      × {count(requests)}
    </Text>
  );
}

/** The status code where it says more than the badge, and the error's code beside it. */
function HttpOutcome({ request: { status, httpStatus, errorCode } }: { request: RequestLog }) {
  if (status === "ok") {
    return null;
  }
  return (
    <Text size="xs" c="dimmed" lh={1} py={2} truncate visibleFrom="lg" title={errorCode ?? undefined}>
      {httpStatus} {errorCode}
    </Text>
  );
}

function Settlement({ request }: { request: RequestLog }) {
  if (request.settlement === "none") {
    return <Nothing />;
  }
  const uncertain = isUncertain(request);
  return (
    <Text fz="inherit" c={uncertain ? "orange" : "dimmed"}>
      {settlementWords(request.settlement)}
      {uncertain && ` (${request.basis ?? "unknown"})`}
    </Text>
  );
}

type NumberCellProps = {
  value: number | null;
  visibleFrom?: MantineBreakpoint;
  hiddenFrom?: MantineBreakpoint;
};

function NumberCell({ value, ...shown }: NumberCellProps) {
  return (
    <Table.Td ta="right" {...shown}>
      {value === null ? <Nothing /> : count(value)}
    </Table.Td>
  );
}

function Nothing() {
  return (
    <Text span inherit c="dimmed" aria-label="none">
      –
    </Text>
  );
}

export function RequestTableSkeleton() {
  const lines = Array.from({ length: 12 }, (_, line) => line);
  return (
    <output aria-label="Loading requests">
      {lines.map((line) => (
        <Skeleton key={line} height={18} my={14} />
      ))}
    </output>
  );
}
