import {
  Button,
  EmptyState,
  Group,
  Paper,
  SegmentedControl,
  SimpleGrid,
  Skeleton,
  Stack,
  Text,
} from "@mantine/core";
import { IconGauge } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import type { OwnedLimit } from "@/api/schema.gen";
import { ExportMenu } from "@/components/ExportMenu";
import { Failure } from "@/components/Failure";
import { OutdatedNotice } from "@/components/OutdatedNotice";
import { PageHeader } from "@/components/PageHeader";
import { TextLink } from "@/components/TextLink";
import { LimitLine } from "@/features/keys/LimitLine";
import { AccountWindows } from "@/features/limits/AccountWindows";
import { HeadersDrawer } from "@/features/limits/HeadersDrawer";
import { rateLimitsQuery } from "@/features/limits/queries";
import { usePolling } from "@/lib/polling";

const route = getRouteApi("/signed-in/limits");

export function LimitsPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const { interval } = usePolling();
  const found = useInfiniteQuery(rateLimitsQuery(search, interval));
  const show = (apiKeyId: string | undefined) =>
    void navigate({ search: (before) => ({ ...before, apiKeyId }) });
  const first = found.data?.pages[0];
  return (
    <Stack gap="sm">
      <PageHeader title="Rate limits">
        <ExportMenu path="/api/rate-limits/export" query={{ order: search.order }} />
      </PageHeader>
      <Order />
      <OutdatedNotice query={found} />
      {found.isPending && <Skeleton height={160} aria-label="Loading limits" />}
      {found.isLoadingError && <Failure error={found.error} onRetry={() => void found.refetch()} />}
      {first?.limits.length === 0 && <NoLimits />}
      <SimpleGrid cols={{ base: 1, md: 2, xl: 3 }} spacing="sm">
        {found.data?.pages
          .flatMap((page) => page.limits)
          .map((limit) => (
            <LimitCard
              key={limit.limitId}
              limit={limit}
              now={new Date(found.dataUpdatedAt)}
              onHeaders={() => show(limit.owner.id)}
            />
          ))}
      </SimpleGrid>
      {found.hasNextPage && (
        <Button
          variant="default"
          size="xs"
          loading={found.isFetchingNextPage}
          onClick={() => void found.fetchNextPage()}
        >
          Show more
        </Button>
      )}
      {first && <AccountWindows windows={first.accountWindows} />}
      {search.apiKeyId && <HeadersDrawer apiKeyId={search.apiKeyId} onClose={() => show(undefined)} />}
    </Stack>
  );
}

function Order() {
  const { order } = route.useSearch();
  const navigate = route.useNavigate();
  return (
    <Group>
      <SegmentedControl
        size="xs"
        aria-label="Order"
        data={[
          { value: "utilisation", label: "Fullest first" },
          { value: "reset", label: "Next to reset first" },
        ]}
        value={order ?? "utilisation"}
        onChange={(value) =>
          void navigate({
            search: (before) => ({ ...before, order: value === "reset" ? "reset" : undefined }),
          })
        }
      />
    </Group>
  );
}

type CardProps = { limit: OwnedLimit; now: Date; onHeaders: () => void };

function LimitCard({ limit, now, onHeaders }: CardProps) {
  const { owner } = limit;
  return (
    <Paper withBorder p="sm" component="article" aria-label={`Limit of ${owner.name}`}>
      <Group justify="space-between" gap="xs" wrap="nowrap" mb={6}>
        <Text size="sm" fw={600} truncate title={owner.name}>
          {owner.kind === "group" ? `Group ${owner.name}` : <KeyLink owner={owner} />}
        </Text>
        {owner.kind === "api_key" && (
          <Button size="compact-xs" variant="subtle" color="gray" flex="none" onClick={onHeaders}>
            Headers
          </Button>
        )}
      </Group>
      <LimitLine limit={limit} now={now} />
    </Paper>
  );
}

function KeyLink({ owner }: { owner: OwnedLimit["owner"] }) {
  return (
    <TextLink to="/keys" search={{ search: owner.id }}>
      {owner.name}
    </TextLink>
  );
}

function NoLimits() {
  return (
    <EmptyState
      icon={<IconGauge />}
      title="No limits yet"
      description="A limit of a key or a group shows here, with how full it is and what callers are told of it."
      py="xl"
    />
  );
}
