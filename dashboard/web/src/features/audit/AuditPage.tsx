import { Button, EmptyState, Group, SegmentedControl, Stack } from "@mantine/core";
import { IconHistory } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { ExportMenu } from "@/components/ExportMenu";
import { Failure } from "@/components/Failure";
import { Loading } from "@/components/Loading";
import { OutdatedNotice } from "@/components/OutdatedNotice";
import { PageHeader } from "@/components/PageHeader";
import { AuditTable } from "@/features/audit/AuditTable";
import { auditQuery, type Source } from "@/features/audit/queries";
import { usePolling } from "@/lib/polling";

const route = getRouteApi("/signed-in/audit");

const LABELS: Array<{ value: Source; label: string }> = [
  { value: "all", label: "All" },
  { value: "dashboard", label: "Dashboard" },
  { value: "quotad", label: "quotad" },
];

/** Who changed what: password and sessions here, keys, groups and tokens in quotad. */
export function AuditPage() {
  const { source = "all" } = route.useSearch();
  const { interval } = usePolling();
  const log = useInfiniteQuery(auditQuery(source, interval));
  const entries = log.data?.pages.flatMap((page) => page.entries);
  return (
    <Stack gap="sm">
      <PageHeader title="Audit log">
        <ExportMenu path="/api/audit/export" query={{ source }} />
        <SourceControl source={source} />
      </PageHeader>
      <OutdatedNotice query={log} />
      {log.isPending && <Loading height={240} label="Loading the audit log" />}
      {log.isLoadingError && <Failure error={log.error} onRetry={() => void log.refetch()} />}
      {entries?.length === 0 && <EmptyState icon={<IconHistory />} title="Nothing was changed" py="xl" />}
      {entries && entries.length > 0 && <AuditTable entries={entries} />}
      {log.hasNextPage && (
        <Group justify="center">
          <Button
            variant="default"
            size="xs"
            loading={log.isFetchingNextPage}
            onClick={() => void log.fetchNextPage()}
          >
            Show earlier ones
          </Button>
        </Group>
      )}
    </Stack>
  );
}

function SourceControl({ source }: { source: Source }) {
  const navigate = route.useNavigate();
  return (
    <SegmentedControl
      size="xs"
      aria-label="Whose changes"
      data={LABELS}
      value={source}
      onChange={(value) =>
        void navigate({ search: { source: value === "all" ? undefined : value }, replace: true })
      }
    />
  );
}
