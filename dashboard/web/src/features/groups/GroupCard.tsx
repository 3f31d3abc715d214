import { ActionIcon, Menu, Paper, Group as Row, SimpleGrid, Stack, Text } from "@mantine/core";
import { IconChartBar, IconDots, IconEdit, IconFolderPlus, IconKey, IconTrash } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import type { Group } from "@/api/schema.gen";
import type { Placed } from "@/features/groups/tree";
import { pathName } from "@/features/groups/tree";
import { LimitLine } from "@/features/keys/LimitLine";
import { count } from "@/lib/format";

export type GroupAction = "edit" | "add" | "usage" | "delete";

type Props = {
  placed: Placed<Group>;
  /** Keys that are in the group itself; null while they are not known. */
  keys: number | null;
  now: Date;
  onAction: (action: GroupAction) => void;
};

const INDENT_PIXELS = 22;

/** A group in its place in the tree, and how full each of its limits is. */
export function GroupCard({ placed, keys, now, onAction }: Props) {
  const { group, depth, path } = placed;
  return (
    <Paper
      withBorder
      p="sm"
      ml={depth * INDENT_PIXELS}
      component="article"
      aria-label={`Group ${pathName(path)}`}
      aria-level={depth + 1}
    >
      <Stack gap="sm">
        <Row justify="space-between" wrap="nowrap" align="start">
          <Row gap="xs" align="baseline">
            <Text fw={600} className="breaks">
              {group.name}
            </Text>
            {keys !== null && (
              <Text size="xs" c="dimmed">
                {keys === 1 ? "1 key" : `${count(keys)} keys`}
              </Text>
            )}
          </Row>
          <GroupMenu group={group} onAction={onAction} />
        </Row>
        {group.limits.length === 0 ? (
          <Text size="sm" c="dimmed">
            No limits of its own.
          </Text>
        ) : (
          <SimpleGrid cols={{ base: 1, md: 2, xl: 3 }} spacing="lg" verticalSpacing="sm">
            {group.limits.map((limit) => (
              <LimitLine key={limit.limitId} limit={limit} now={now} />
            ))}
          </SimpleGrid>
        )}
      </Stack>
    </Paper>
  );
}

function GroupMenu({ group, onAction }: { group: Group; onAction: (action: GroupAction) => void }) {
  return (
    <Menu position="bottom-end" width={200}>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" aria-label={`Actions for ${group.name}`}>
          <IconDots size={18} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item leftSection={<IconEdit size={16} />} onClick={() => onAction("edit")}>
          Edit or move
        </Menu.Item>
        <Menu.Item leftSection={<IconFolderPlus size={16} />} onClick={() => onAction("add")}>
          New group below
        </Menu.Item>
        <Menu.Item leftSection={<IconChartBar size={16} />} onClick={() => onAction("usage")}>
          Usage
        </Menu.Item>
        <Menu.Item
          leftSection={<IconKey size={16} />}
          renderRoot={(props) => <Link to="/keys" search={{ search: group.groupId }} {...props} />}
        >
          Keys below it
        </Menu.Item>
        <Menu.Divider />
        <Menu.Item color="red" leftSection={<IconTrash size={16} />} onClick={() => onAction("delete")}>
          Delete…
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
