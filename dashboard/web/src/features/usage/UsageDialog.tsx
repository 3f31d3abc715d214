import {
  EmptyState,
  Group,
  Modal,
  SegmentedControl,
  Select,
  Skeleton,
  Stack,
  Table,
  Text,
} from "@mantine/core";
import { IconChartBar } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { Usage } from "@/api/schema.gen";
import { Failure } from "@/components/Failure";
import { OutdatedNotice } from "@/components/OutdatedNotice";
import { metricLabel } from "@/features/keys/rule";
import { type UsageOwner, usageQuery } from "@/features/usage/queries";
import { barsOf, metricsOf, modelsOf } from "@/features/usage/series";
import { UsageBars } from "@/features/usage/UsageBars";
import { amount } from "@/lib/format";
import { usePolling } from "@/lib/polling";

const RANGES = [
  { value: "24", label: "24 hours" },
  { value: "168", label: "7 days" },
  { value: "720", label: "30 days" },
];

/** What a key, or the keys below a group, were charged over time. */
export function UsageDialog({ owner, onClose }: { owner: UsageOwner; onClose: () => void }) {
  const [hours, setHours] = useState("24");
  const { interval } = usePolling();
  const usage = useQuery(usageQuery(owner, Number(hours), interval));
  return (
    <Modal opened onClose={onClose} size="lg" title={`Usage of ${owner.name}`}>
      <Stack gap="sm">
        <SegmentedControl
          size="xs"
          aria-label="Time"
          data={RANGES}
          value={hours}
          onChange={setHours}
          data-autofocus
        />
        <OutdatedNotice query={usage} />
        {usage.isPending && <Skeleton height={220} aria-label="Loading usage" />}
        {usage.isLoadingError && <Failure error={usage.error} onRetry={() => void usage.refetch()} />}
        {usage.data && <UsageView usage={usage.data} />}
        {owner.kind === "group" && (
          <Text size="xs" c="dimmed">
            Summed over the keys that are in the group, or below it, today.
          </Text>
        )}
      </Stack>
    </Modal>
  );
}

function UsageView({ usage }: { usage: Usage }) {
  const metrics = metricsOf(usage);
  const [chosen, setChosen] = useState<string | null>(null);
  const metric = chosen && metrics.includes(chosen) ? chosen : metrics[0];
  if (metric === undefined) {
    return <EmptyState icon={<IconChartBar />} title="Nothing was charged in this time" py="lg" />;
  }
  const models = modelsOf(usage, metric);
  const total = models.reduce((sum, one) => sum + one.amount, 0);
  return (
    <Stack gap="sm">
      <Group justify="space-between">
        <Select
          size="xs"
          aria-label="What is counted"
          allowDeselect={false}
          data={metrics.map((value) => ({ value, label: metricLabel(value) }))}
          value={metric}
          onChange={setChosen}
        />
        <Text size="sm" data-testid="usage-total">
          {amount(metric, total)} in all
        </Text>
      </Group>
      <UsageBars bars={barsOf(usage, metric)} metric={metric} stepSeconds={usage.stepSeconds} />
      <ModelTable models={models} metric={metric} />
      {!usage.isComplete && (
        <Text size="xs" c="orange">
          There is more than is read at a time: later hours are missing.
        </Text>
      )}
    </Stack>
  );
}

function ModelTable({ models, metric }: { models: { model: string; amount: number }[]; metric: string }) {
  return (
    <Table fz="sm">
      <Table.Thead>
        <Table.Tr>
          <Table.Th>Model</Table.Th>
          <Table.Th ta="right">{metricLabel(metric)}</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {models.map((one) => (
          <Table.Tr key={one.model}>
            <Table.Td className="breaks">{one.model || "none named"}</Table.Td>
            <Table.Td ta="right">{amount(metric, one.amount)}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
