import { Badge, Button, Group, Table, Text } from "@mantine/core";
import type { Reservation } from "@/api/schema.gen";
import { CopyButton } from "@/components/CopyButton";
import { Moment } from "@/components/Moment";
import { TextLink } from "@/components/TextLink";
import { STATES } from "@/features/reservations/search";
import { amountsInWords } from "@/lib/amounts";
import { seconds } from "@/lib/format";

type Props = {
  reservations: Reservation[];
  serverTime: string;
  onRelease: (reservation: Reservation) => void;
};

export function ReservationTable({ reservations, serverTime, onRelease }: Props) {
  return (
    <Table.ScrollContainer minWidth={0}>
      <Table fz="sm">
        <Table.Thead>
          <Table.Tr className="nowrap">
            <Table.Th>Age</Table.Th>
            <Table.Th>Key</Table.Th>
            <Table.Th visibleFrom="sm">Model</Table.Th>
            <Table.Th>Held or charged</Table.Th>
            <Table.Th visibleFrom="sm">Lease</Table.Th>
            <Table.Th visibleFrom="lg">Reservation</Table.Th>
            <Table.Th aria-label="Actions" />
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {reservations.map((reservation) => (
            <ReservationRow
              key={reservation.reservationId}
              reservation={reservation}
              now={new Date(serverTime)}
              onRelease={() => onRelease(reservation)}
            />
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

type RowProps = { reservation: Reservation; now: Date; onRelease: () => void };

function ReservationRow({ reservation, now, onRelease }: RowProps) {
  const { reservationId, apiKeyId, apiKeyName, model, state, ageSeconds, createTime } = reservation;
  const open = state === "reserved";
  return (
    <Table.Tr>
      <Table.Td className="nowrap">
        <span title={`${Math.round(ageSeconds)} s`}>{seconds(ageSeconds)}</span>
        <Text size="xs" c="dimmed" visibleFrom="sm">
          <Moment value={createTime} />
        </Text>
      </Table.Td>
      <Table.Td className="name-cell">
        <TextLink to="/keys" search={{ search: apiKeyId }} title={apiKeyName ?? apiKeyId}>
          {apiKeyName ?? apiKeyId}
        </TextLink>
      </Table.Td>
      <Table.Td className="name-cell" title={model} visibleFrom="sm">
        {model}
      </Table.Td>
      <Table.Td>{amountsInWords(open ? reservation.reserved : reservation.actual) || "–"}</Table.Td>
      <Table.Td visibleFrom="sm">
        {open ? <Lease reservation={reservation} now={now} /> : <Outcome reservation={reservation} />}
      </Table.Td>
      <Table.Td visibleFrom="lg">
        <Group gap={4} wrap="nowrap">
          <span className="mono name-cell" title={reservationId}>
            {reservationId}
          </span>
          <CopyButton value={reservationId} label="Copy reservation" />
        </Group>
      </Table.Td>
      <Table.Td ta="right">
        {open && (
          <Button size="compact-xs" variant="default" onClick={onRelease}>
            Give back…
          </Button>
        )}
      </Table.Td>
    </Table.Tr>
  );
}

function Lease({ reservation: { expireTime }, now }: { reservation: Reservation; now: Date }) {
  const left = (new Date(expireTime).getTime() - now.getTime()) / 1000;
  return (
    <Text size="xs" c="dimmed" className="nowrap">
      {left > 0 ? `renewed within ${seconds(left)}` : "lapsed"}
    </Text>
  );
}

function Outcome({ reservation: { state, late, basis, forcedReason } }: { reservation: Reservation }) {
  return (
    <Group gap={6}>
      <Badge size="sm" radius="sm" variant="light" color="gray" tt="none" title={basis ?? undefined}>
        {STATES[state]}
      </Badge>
      {late && (
        <Text size="xs" c="dimmed">
          late
        </Text>
      )}
      {forcedReason && (
        <Text size="xs" c="dimmed">
          given back by force: {forcedReason}
        </Text>
      )}
    </Group>
  );
}
