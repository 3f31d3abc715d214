import { Skeleton, Stack } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { Failure } from "@/components/Failure";
import { OutdatedNotice } from "@/components/OutdatedNotice";
import { PageHeader } from "@/components/PageHeader";
import { RangeControl } from "@/components/RangeControl";
import { AccountWindows } from "@/features/limits/AccountWindows";
import { Charts } from "@/features/overview/Charts";
import { Numbers } from "@/features/overview/Numbers";
import { overviewQuery } from "@/features/overview/queries";
import { Health, Standing } from "@/features/overview/Standing";
import { usePolling } from "@/lib/polling";
import { DEFAULT_RANGE, RANGES } from "@/lib/timeRange";

const route = getRouteApi("/signed-in/overview");

export function OverviewPage() {
  const { range } = route.useSearch();
  const navigate = route.useNavigate();
  const { interval } = usePolling();
  const found = useQuery(overviewQuery(range, interval));
  const { data } = found;
  return (
    <Stack gap="sm">
      <PageHeader title="Overview" aside={data && <Health health={data.health} />}>
        <RangeControl range={range} onChange={(next) => void navigate({ search: { range: next } })} />
      </PageHeader>
      <OutdatedNotice query={found} />
      {found.isPending && <OverviewSkeleton />}
      {found.isLoadingError && <Failure error={found.error} onRetry={() => void found.refetch()} />}
      {data && (
        <>
          <Numbers usage={data.usage} range={RANGES[range ?? DEFAULT_RANGE].label.toLowerCase()} />
          <Standing overview={data} now={new Date(found.dataUpdatedAt)} />
          <Charts overview={data} />
          <AccountWindows windows={data.accountWindows} />
        </>
      )}
    </Stack>
  );
}

function OverviewSkeleton() {
  return (
    <output aria-label="Loading the overview">
      <Stack gap="sm">
        <Skeleton height={84} />
        <Skeleton height={180} />
        <Skeleton height={220} />
      </Stack>
    </output>
  );
}
