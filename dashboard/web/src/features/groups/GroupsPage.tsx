import { Button, EmptyState, Skeleton, Stack, Text } from "@mantine/core";
import { IconFolders, IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { Group } from "@/api/schema.gen";
import { ExportMenu } from "@/components/ExportMenu";
import { Failure } from "@/components/Failure";
import { OutdatedNotice } from "@/components/OutdatedNotice";
import { PageHeader } from "@/components/PageHeader";
import { type GroupAction, GroupCard } from "@/features/groups/GroupCard";
import { CreateGroupDialog, DeleteGroupDialog, EditGroupDialog } from "@/features/groups/GroupDialogs";
import { groupsQuery } from "@/features/groups/queries";
import { inTreeOrder } from "@/features/groups/tree";
import { apiKeysQuery } from "@/features/keys/queries";
import { UsageDialog } from "@/features/usage/UsageDialog";
import { count } from "@/lib/format";
import { usePolling } from "@/lib/polling";

type Dialog = { kind: "create" } | { kind: GroupAction; group: Group };

export function GroupsPage() {
  const { interval } = usePolling();
  const groups = useQuery(groupsQuery(interval));
  const [dialog, setDialog] = useState<Dialog | null>(null);
  return (
    <Stack gap="sm">
      <PageHeader
        title="Groups"
        aside={
          groups.data && (
            <Text size="sm" c="dimmed">
              {count(groups.data.length)}
            </Text>
          )
        }
      >
        <ExportMenu path="/api/groups/export" />
        <Button
          size="xs"
          flex="none"
          leftSection={<IconPlus size={16} />}
          onClick={() => setDialog({ kind: "create" })}
        >
          New group
        </Button>
      </PageHeader>
      <OutdatedNotice query={groups} />
      {groups.isPending && <GroupsSkeleton />}
      {groups.isLoadingError && <Failure error={groups.error} onRetry={() => void groups.refetch()} />}
      {groups.data && (
        <GroupTree groups={groups.data} now={new Date(groups.dataUpdatedAt)} open={setDialog} />
      )}
      <OpenDialog dialog={dialog} groups={groups.data ?? []} onClose={() => setDialog(null)} />
    </Stack>
  );
}

type TreeProps = { groups: Group[]; now: Date; open: (dialog: Dialog) => void };

function GroupTree({ groups, now, open }: TreeProps) {
  const { interval } = usePolling();
  const keys = useQuery(apiKeysQuery(interval));
  if (groups.length === 0) {
    return <NoGroups />;
  }
  const keysIn = (groupId: string) =>
    keys.data ? keys.data.filter(({ groupPath }) => groupPath.at(-1)?.groupId === groupId).length : null;
  return inTreeOrder(groups).map((placed) => (
    <GroupCard
      key={placed.group.groupId}
      placed={placed}
      keys={keysIn(placed.group.groupId)}
      now={now}
      onAction={(kind) => open({ kind, group: placed.group })}
    />
  ));
}

type OpenProps = { dialog: Dialog | null; groups: Group[]; onClose: () => void };

function OpenDialog({ dialog, groups, onClose }: OpenProps) {
  if (dialog === null) {
    return null;
  }
  if (dialog.kind === "create") {
    return <CreateGroupDialog parentGroupId="" onClose={onClose} />;
  }
  const { groupId } = dialog.group;
  const group = groups.find((one) => one.groupId === groupId) ?? dialog.group;
  switch (dialog.kind) {
    case "add":
      return <CreateGroupDialog parentGroupId={groupId} onClose={onClose} />;
    case "edit":
      return <EditGroupDialog group={group} groups={groups} onClose={onClose} />;
    case "usage":
      return <UsageDialog owner={{ kind: "group", id: groupId, name: group.name }} onClose={onClose} />;
    case "delete":
      return <DeleteGroupDialog group={group} onClose={onClose} />;
  }
}

function NoGroups() {
  return (
    <EmptyState
      icon={<IconFolders />}
      title="No groups yet"
      description="A group's limits bind all keys below it together: a team within an organisation, for example."
      py="xl"
    />
  );
}

function GroupsSkeleton() {
  return (
    <output aria-label="Loading groups">
      <Stack gap="sm">
        <Skeleton height={90} />
        <Skeleton height={90} ml={22} />
      </Stack>
    </output>
  );
}
