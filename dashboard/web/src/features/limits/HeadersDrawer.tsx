import { Drawer, Skeleton, Stack, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Failure } from "@/components/Failure";
import { keyHeadersQuery } from "@/features/limits/queries";
import { usePolling } from "@/lib/polling";

/** The rate-limit headers of one key, line by line as its holder reads them. */
export function HeadersDrawer({ apiKeyId, onClose }: { apiKeyId: string; onClose: () => void }) {
  const { interval } = usePolling();
  const found = useQuery(keyHeadersQuery(apiKeyId, interval));
  return (
    <Drawer
      opened
      onClose={onClose}
      position="right"
      size="lg"
      title={`What ${found.data?.name ?? "the key"} is told`}
    >
      <Stack gap="sm">
        <Text size="sm" c="dimmed">
          Proxies send these headers with every answer. The x-ratelimit lines describe the tightest limit of
          their unit, live holds subtracted; RateLimit names all limits of the key.
        </Text>
        {found.isPending && <Skeleton height={120} aria-label="Loading headers" />}
        {found.isLoadingError && <Failure error={found.error} onRetry={() => void found.refetch()} />}
        {found.data?.headers.length === 0 && (
          <Text size="sm">None: no enforced limit applies to this key.</Text>
        )}
        <Table fz="sm" layout="fixed">
          <Table.Tbody>
            {found.data?.headers.map(({ name, value }) => (
              <Table.Tr key={name}>
                <Table.Th className="mono" w="45%">
                  {name}
                </Table.Th>
                <Table.Td className="mono breaks">{value}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Stack>
    </Drawer>
  );
}
