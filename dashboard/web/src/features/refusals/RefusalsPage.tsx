import { Alert, Button, EmptyState, Group, Skeleton, Stack, Text } from "@mantine/core";
import { IconCircleCheck } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import type { Refusals } from "@/api/schema.gen";
import { ExportMenu } from "@/components/ExportMenu";
import { Failure } from "@/components/Failure";
import { OutdatedNotice } from "@/components/OutdatedNotice";
import { PageHeader } from "@/components/PageHeader";
import { RangeControl } from "@/components/RangeControl";
import { refusalsQuery } from "@/features/refusals/queries";
import { RefusalCard } from "@/features/refusals/RefusalCard";
import { count } from "@/lib/format";
import { usePolling } from "@/lib/polling";
import { moments } from "@/lib/timeRange";

const route = getRouteApi("/signed-in/refusals");

export function RefusalsPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const { interval } = usePolling();
  const found = useQuery(refusalsQuery(search, interval));
  const { range, apiKeyId, limitId } = search;
  return (
    <Stack gap="sm">
      <PageHeader title="Refusals" aside={found.data && <Total refusals={found.data} />}>
        <ExportMenu
          path="/api/refusals/export"
          query={{ ...moments(range, new Date()), apiKeyId, limitId }}
        />
      </PageHeader>
      <Group gap="xs">
        <RangeControl
          range={range}
          onChange={(next) => void navigate({ search: (before) => ({ ...before, range: next }) })}
        />
        {(apiKeyId || limitId) && (
          <Button size="xs" variant="light" onClick={() => void navigate({ search: { range } })}>
            One {apiKeyId ? "key" : "limit"} only: show all
          </Button>
        )}
      </Group>
      <OutdatedNotice query={found} />
      {found.isPending && <Skeleton height={160} aria-label="Loading refusals" />}
      {found.isLoadingError && <Failure error={found.error} onRetry={() => void found.refetch()} />}
      {found.data && <Found refusals={found.data} />}
    </Stack>
  );
}

function Found({ refusals: { limits, limitCount, isComplete } }: { refusals: Refusals }) {
  if (limits.length === 0) {
    return (
      <EmptyState
        icon={<IconCircleCheck />}
        title="No limit refused anything"
        description="A request that does not fit a limit shows here, with what was in its way and when it fits."
        py="xl"
      />
    );
  }
  return (
    <>
      {!isComplete && (
        <Alert p="xs">So much was refused that only the latest part of this range is counted.</Alert>
      )}
      {limits.map((refused) => (
        <RefusalCard key={`${refused.limitId} ${refused.enforcement}`} refused={refused} />
      ))}
      {limitCount > limits.length && (
        <Text size="sm" c="dimmed">
          {count(limitCount - limits.length)} more limits refused less often; the export has them all.
        </Text>
      )}
    </>
  );
}

function Total({ refusals: { refused, limitCount } }: { refusals: Refusals }) {
  return (
    <Text size="sm" c="dimmed" aria-live="polite">
      {count(refused)} by {count(limitCount)} {limitCount === 1 ? "limit" : "limits"}
    </Text>
  );
}
