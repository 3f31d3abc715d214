import { Button, EmptyState } from "@mantine/core";
import { IconFilterOff, IconInbox, IconPlayerTrackPrev } from "@tabler/icons-react";
import { hasFilters, NO_FILTERS } from "@/features/requests/search";
import { useRequestSearch } from "@/features/requests/useRequestSearch";

/** Nothing to list, and why: past the end, filtered away, or nothing yet. */
export function NoRequests({ total }: { total: number }) {
  const { search, change } = useRequestSearch();
  if (total > 0) {
    return (
      <EmptyState icon={<IconPlayerTrackPrev />} title="This page is past the end" py="xl">
        <Button variant="default" onClick={() => change({ page: Math.ceil(total / search.size) })}>
          Go to the last page
        </Button>
      </EmptyState>
    );
  }
  if (hasFilters(search)) {
    return (
      <EmptyState icon={<IconFilterOff />} title="No request matches these filters" py="xl">
        <Button variant="default" onClick={() => change(NO_FILTERS)}>
          Clear all filters
        </Button>
      </EmptyState>
    );
  }
  return (
    <EmptyState
      icon={<IconInbox />}
      title="No requests yet"
      description="Make a key on the Keys page and send a request through the proxy; it shows here within seconds."
      py="xl"
    />
  );
}
