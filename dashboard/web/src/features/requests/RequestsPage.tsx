import { Box, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { RequestLogs } from "@/api/schema.gen";
import { ExportMenu } from "@/components/ExportMenu";
import { Failure } from "@/components/Failure";
import { OutdatedNotice } from "@/components/OutdatedNotice";
import { PageHeader } from "@/components/PageHeader";
import { FilterBar } from "@/features/requests/FilterBar";
import { NoRequests } from "@/features/requests/NoRequests";
import { Pager } from "@/features/requests/Pager";
import { requestLogOptionsQuery, requestLogsQuery } from "@/features/requests/queries";
import { RequestDrawer } from "@/features/requests/RequestDrawer";
import { RequestTable, RequestTableSkeleton } from "@/features/requests/RequestTable";
import { listFilters } from "@/features/requests/search";
import { useRequestSearch } from "@/features/requests/useRequestSearch";
import { count } from "@/lib/format";
import { usePolling } from "@/lib/polling";

export function RequestsPage() {
  const { search, change } = useRequestSearch();
  const { interval } = usePolling();
  const logs = useQuery(requestLogsQuery(search, interval));
  const options = useQuery(requestLogOptionsQuery(search, interval));
  return (
    <Stack gap="sm">
      <PageHeader title="Requests" aside={logs.data && <Total page={logs.data} />}>
        <ExportMenu path="/api/request-logs/export" query={listFilters(search, new Date())} />
      </PageHeader>
      <FilterBar options={options.data} />
      <OutdatedNotice query={logs} />
      {logs.isPending && <RequestTableSkeleton />}
      {logs.isLoadingError && <Failure error={logs.error} onRetry={() => void logs.refetch()} />}
      {logs.data && <Results data={logs.data} faded={logs.isPlaceholderData} />}
      {logs.data && logs.data.total > 0 && <Pager search={search} total={logs.data.total} change={change} />}
    </Stack>
  );
}

function Results({ data, faded }: { data: RequestLogs; faded: boolean }) {
  const [opened, setOpened] = useState<string | null>(null);
  const requests = data.requests;
  if (requests.length === 0) {
    return <NoRequests total={data.total} />;
  }
  return (
    <Box>
      <RequestTable requests={requests} faded={faded} onOpen={(request) => setOpened(request.requestLogId)} />
      <RequestDrawer requests={requests} opened={opened} onOpen={setOpened} />
    </Box>
  );
}

/** Exact, unless the service says that it stopped counting. */
function Total({ page: { total, totalIsExact } }: { page: RequestLogs }) {
  return (
    <Text size="sm" c="dimmed" aria-live="polite">
      {totalIsExact ? count(total) : `more than ${count(total)}`}
    </Text>
  );
}
