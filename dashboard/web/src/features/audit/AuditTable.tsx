import { Code, Drawer, SimpleGrid, Stack, Table, Text, UnstyledButton } from "@mantine/core";
import { useState } from "react";
import type { AuditEntry } from "@/api/schema.gen";
import { FactSection, Facts } from "@/components/Facts";
import { Moment } from "@/components/Moment";
import { actorWords, changeWords, readable } from "@/features/audit/words";
import { utc } from "@/lib/format";

export function AuditTable({ entries }: { entries: AuditEntry[] }) {
  const [opened, setOpened] = useState<AuditEntry | null>(null);
  return (
    <>
      <Table highlightOnHover fz="sm">
        <Table.Thead>
          <Table.Tr className="nowrap">
            <Table.Th>Time</Table.Th>
            <Table.Th>Change</Table.Th>
            <Table.Th visibleFrom="xs">Who</Table.Th>
            <Table.Th visibleFrom="md">Id</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {entries.map((entry) => (
            <AuditRow
              key={`${entry.source} ${entry.entryId}`}
              entry={entry}
              onOpen={() => setOpened(entry)}
            />
          ))}
        </Table.Tbody>
      </Table>
      <AuditDrawer entry={opened} onClose={() => setOpened(null)} />
    </>
  );
}

function AuditRow({ entry, onOpen }: { entry: AuditEntry; onOpen: () => void }) {
  return (
    <Table.Tr data-opens onClick={onOpen}>
      <Table.Td>
        <UnstyledButton fz="inherit" lh="inherit" aria-haspopup="dialog">
          <Moment value={entry.createTime} />
        </UnstyledButton>
      </Table.Td>
      <Table.Td>{changeWords(entry)}</Table.Td>
      <Table.Td visibleFrom="xs">{actorWords(entry)}</Table.Td>
      <Table.Td visibleFrom="md" className="name-cell mono" title={entry.resourceId}>
        {entry.resourceId}
      </Table.Td>
    </Table.Tr>
  );
}

/** One change in full: who, and the resource before and after. */
function AuditDrawer({ entry, onClose }: { entry: AuditEntry | null; onClose: () => void }) {
  return (
    <Drawer
      opened={entry !== null}
      onClose={onClose}
      position="right"
      size="lg"
      overlayProps={{ backgroundOpacity: 0.25 }}
      closeButtonProps={{ "aria-label": "Close" }}
      title={entry && <Text fw={600}>{changeWords(entry)}</Text>}
    >
      {entry && (
        <Stack gap="md">
          <Facts
            facts={[
              ["Time", utc(new Date(entry.createTime))],
              ["Who", entry.actor],
              ["Token", entry.tokenName],
              ["Kept by", entry.source],
            ]}
            ids={[["Id", entry.resourceId]]}
          />
          <SimpleGrid cols={{ base: 1, sm: entry.before && entry.after ? 2 : 1 }}>
            <Content title="Before" json={entry.before} />
            <Content title="After" json={entry.after} />
          </SimpleGrid>
        </Stack>
      )}
    </Drawer>
  );
}

function Content({ title, json }: { title: string; json: string }) {
  if (!json) {
    return null;
  }
  return (
    <FactSection title={title}>
      <Code block className="breaks" tabIndex={0}>
        {readable(json)}
      </Code>
    </FactSection>
  );
}
