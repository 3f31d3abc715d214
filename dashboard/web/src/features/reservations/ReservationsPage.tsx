import { Button, EmptyState, Group, Select, Skeleton, Stack } from "@mantine/core";
import { IconLockOpen } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import type { Reservation } from "@/api/schema.gen";
import { ExportMenu } from "@/components/ExportMenu";
import { Failure } from "@/components/Failure";
import { OutdatedNotice } from "@/components/OutdatedNotice";
import { PageHeader } from "@/components/PageHeader";
import { filtersOf, reservationsQuery } from "@/features/reservations/queries";
import { ReleaseDialog } from "@/features/reservations/ReleaseDialog";
import { ReservationTable } from "@/features/reservations/ReservationTable";
import { AGE_NAMES, AGES, type ReservationSearch, STATE_NAMES, STATES } from "@/features/reservations/search";
import { usePolling } from "@/lib/polling";

const route = getRouteApi("/signed-in/reservations");

export function ReservationsPage() {
  const search = route.useSearch();
  const { interval } = usePolling();
  const found = useQuery(reservationsQuery(search, interval));
  const [releasing, setReleasing] = useState<Reservation | null>(null);
  return (
    <Stack gap="sm">
      <PageHeader title="Reservations">
        <ExportMenu path="/api/reservations/export" query={filtersOf(search)} />
      </PageHeader>
      <Filters />
      <OutdatedNotice query={found} />
      {found.isPending && <Skeleton height={200} aria-label="Loading reservations" />}
      {found.isLoadingError && <Failure error={found.error} onRetry={() => void found.refetch()} />}
      {found.data?.reservations.length === 0 && <NoReservations search={search} />}
      {found.data && found.data.reservations.length > 0 && (
        <ReservationTable {...found.data} onRelease={setReleasing} />
      )}
      {found.data && <Turner nextPageToken={found.data.nextPageToken} />}
      {releasing && <ReleaseDialog reservation={releasing} onClose={() => setReleasing(null)} />}
    </Stack>
  );
}

function Filters() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const change = (changes: Partial<ReservationSearch>) =>
    void navigate({ search: (before) => ({ ...before, ...changes, page: undefined }) });
  return (
    <Group gap={8} role="search">
      <Select
        size="xs"
        w={130}
        aria-label="State"
        allowDeselect={false}
        data={STATE_NAMES.map((value) => ({ value, label: STATES[value] }))}
        value={search.state ?? "reserved"}
        onChange={(state) => change({ state: state === "reserved" ? undefined : (state ?? undefined) })}
      />
      <Select
        size="xs"
        w={160}
        aria-label="Age"
        placeholder="Of any age"
        clearable
        data={AGE_NAMES.map((value) => ({ value, label: `Older than ${AGES[value]}` }))}
        value={search.age ?? null}
        onChange={(age) => change({ age: age ?? undefined })}
      />
      {search.apiKeyId && (
        <Button size="xs" variant="light" onClick={() => change({ apiKeyId: undefined })}>
          One key only: show all
        </Button>
      )}
    </Group>
  );
}

/** Pages have no numbers: the address keeps the way that led here. */
function Turner({ nextPageToken }: { nextPageToken: string }) {
  const { page = [] } = route.useSearch();
  const navigate = route.useNavigate();
  const turn = (next: string[]) =>
    void navigate({ search: (before) => ({ ...before, page: next.length > 0 ? next : undefined }) });
  if (page.length === 0 && !nextPageToken) {
    return null;
  }
  return (
    <Group gap="xs" justify="flex-end">
      <Button
        size="xs"
        variant="default"
        disabled={page.length === 0}
        onClick={() => turn(page.slice(0, -1))}
      >
        Previous
      </Button>
      <Button
        size="xs"
        variant="default"
        disabled={!nextPageToken}
        onClick={() => turn([...page, nextPageToken])}
      >
        Next
      </Button>
    </Group>
  );
}

function NoReservations({ search: { state, age, apiKeyId } }: { search: ReservationSearch }) {
  const narrowed = state || age || apiKeyId;
  return (
    <EmptyState
      icon={<IconLockOpen />}
      title={narrowed ? "No reservation matches" : "Nothing is held"}
      description={
        narrowed ? undefined : "While a request runs, its tokens are held here until they are charged."
      }
      py="xl"
    />
  );
}
