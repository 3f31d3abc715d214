import { ActionIcon, Badge, Group, Menu, Paper, SimpleGrid, Stack, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import {
  IconChartBar,
  IconDots,
  IconEdit,
  IconListDetails,
  IconPlayerPause,
  IconPlayerPlay,
  IconRefresh,
  IconTrash,
} from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import type { ApiKey } from "@/api/schema.gen";
import { pathName } from "@/features/groups/tree";
import { LimitLine } from "@/features/keys/LimitLine";
import { policiesInWords } from "@/features/keys/policyFields";
import { useUpdateKey } from "@/features/keys/queries";
import { keyState } from "@/features/keys/state";
import { localDay, seconds } from "@/lib/format";

export type KeyAction = "edit" | "usage" | "rotate" | "delete";

type Props = { apiKey: ApiKey; now: Date; onAction: (action: KeyAction) => void };

/** A key and how full each of the limits is that bind it. */
export function KeyCard({ apiKey, now, onAction }: Props) {
  return (
    <Paper withBorder p="sm" component="article" aria-label={`Key ${apiKey.name}`}>
      <Stack gap="sm">
        <Group justify="space-between" wrap="nowrap" align="start">
          <KeyHeading apiKey={apiKey} now={now} />
          <KeyMenu apiKey={apiKey} onAction={onAction} />
        </Group>
        <KeyLimits apiKey={apiKey} now={now} />
      </Stack>
    </Paper>
  );
}

function KeyLimits({ apiKey: { limits, groupLimits }, now }: Pick<Props, "apiKey" | "now">) {
  if (limits.length + groupLimits.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        No limits.
      </Text>
    );
  }
  return (
    <SimpleGrid cols={{ base: 1, md: 2, xl: 3 }} spacing="lg" verticalSpacing="sm">
      {limits.map((limit) => (
        <LimitLine key={limit.limitId} limit={limit} now={now} />
      ))}
      {groupLimits.map((limit) => (
        <LimitLine key={limit.limitId} limit={limit} now={now} sharedBy={limit.groupName} />
      ))}
    </SimpleGrid>
  );
}

function KeyHeading({ apiKey, now }: { apiKey: ApiKey; now: Date }) {
  const { label, color } = keyState(apiKey, now);
  const { groupPath, policies } = apiKey;
  return (
    <div>
      <Group gap="xs">
        <Text fw={600}>{apiKey.name}</Text>
        <Badge size="sm" radius="sm" variant="light" color={color} tt="none">
          {label}
        </Badge>
        {groupPath.length > 0 && (
          <Text size="xs" c="dimmed">
            in {pathName(groupPath.map(({ name }) => name))}
          </Text>
        )}
      </Group>
      <Text size="xs" c="dimmed">
        <span className="mono">{apiKey.secretPrefix}…</span> · made {localDay(new Date(apiKey.createTime))}
        {apiKey.expireTime && ` · expires ${localDay(new Date(apiKey.expireTime))}`}
        {apiKey.allowedModels.length > 0 && ` · only ${apiKey.allowedModels.join(", ")}`}
        <OldSecrets apiKey={apiKey} now={now} />
      </Text>
      {policiesInWords(policies).map((words) => (
        <Text key={words} size="xs" c="dimmed">
          {words}
        </Text>
      ))}
    </div>
  );
}

function OldSecrets({ apiKey: { oldSecretsExpireTime }, now }: Pick<Props, "apiKey" | "now">) {
  const expireTime = oldSecretsExpireTime ? new Date(oldSecretsExpireTime) : null;
  return expireTime && expireTime > now ? (
    <>
      {" · its old secret works for "}
      {seconds((expireTime.getTime() - now.getTime()) / 1000)} more
    </>
  ) : null;
}

function KeyMenu({ apiKey, onAction }: Omit<Props, "now">) {
  return (
    <Group gap={4} wrap="nowrap">
      <Menu position="bottom-end" width={180}>
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" aria-label={`Actions for ${apiKey.name}`}>
            <IconDots size={18} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconEdit size={16} />} onClick={() => onAction("edit")}>
            Edit
          </Menu.Item>
          <Menu.Item leftSection={<IconChartBar size={16} />} onClick={() => onAction("usage")}>
            Usage
          </Menu.Item>
          <Menu.Item
            leftSection={<IconListDetails size={16} />}
            renderRoot={(props) => (
              <Link to="/requests" search={{ apiKeyId: [apiKey.apiKeyId] }} {...props} />
            )}
          >
            Its requests
          </Menu.Item>
          <Menu.Item leftSection={<IconRefresh size={16} />} onClick={() => onAction("rotate")}>
            Rotate secret…
          </Menu.Item>
          <EnableItem apiKey={apiKey} />
          <Menu.Divider />
          <Menu.Item color="red" leftSection={<IconTrash size={16} />} onClick={() => onAction("delete")}>
            Delete…
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
    </Group>
  );
}

function EnableItem({ apiKey }: { apiKey: ApiKey }) {
  const update = useUpdateKey();
  const { disabled, name } = apiKey;
  const change = () =>
    update.mutate(
      { apiKey, changes: { disabled: !disabled } },
      { onError: (error) => notifications.show({ color: "red", title: name, message: error.message }) },
    );
  const Icon = disabled ? IconPlayerPlay : IconPlayerPause;
  return (
    <Menu.Item leftSection={<Icon size={16} />} onClick={change}>
      {disabled ? "Enable" : "Disable"}
    </Menu.Item>
  );
}
