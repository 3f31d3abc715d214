import { Table, Text } from "@mantine/core";
import type { Attempt } from "@/api/schema.gen";
import { milliseconds } from "@/lib/format";

/** What was tried, in order: one line per account that was asked. */
export function AttemptList({ attempts }: { attempts: Attempt[] }) {
  if (attempts.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        No account was asked.
      </Text>
    );
  }
  return (
    <Table fz="sm" withRowBorders={false} verticalSpacing={3} horizontalSpacing={0}>
      <Table.Tbody>
        {attempts.map((attempt, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: attempts are a finished list, told apart by their order only
          <Table.Tr key={index}>
            <Table.Td w={24} c="dimmed">
              {index + 1}
            </Table.Td>
            <Table.Td>{attempt.accountName}</Table.Td>
            <Table.Td>
              {attempt.outcome} {attempt.httpStatus}
              <Text span size="xs" c="dimmed" ml={6}>
                {attempt.errorCode}
              </Text>
            </Table.Td>
            <Table.Td ta="right" className="nowrap">
              {milliseconds(attempt.durationMs)}
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
