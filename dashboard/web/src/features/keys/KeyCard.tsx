import { ActionIcon, Badge, Group, Menu, Paper, SimpleGrid, Stack, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import {
  IconDots,
  IconEdit,
  IconListDetails,
  IconPlayerPause,
  IconPlayerPlay,
  IconTrash,
} from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import type { ApiKey } from "@/api/schema.gen";
import { LimitLine } from "@/features/keys/LimitLine";
import { useUpdateKey } from "@/features/keys/queries";
import { keyState } from "@/features/keys/state";
import { localDay } from "@/lib/format";

type Props = { apiKey: ApiKey; now: Date; onEdit: () => void; onDelete: () => void };

/** A key and how full each of its limits is. */
export function KeyCard({ apiKey, now, onEdit, onDelete }: Props) {
  return (
    <Paper withBorder p="sm" component="article" aria-label={`Key ${apiKey.name}`}>
      <Stack gap="sm">
        <Group justify="space-between" wrap="nowrap" align="start">
          <KeyHeading apiKey={apiKey} now={now} />
          <KeyMenu apiKey={apiKey} onEdit={onEdit} onDelete={onDelete} />
        </Group>
        {apiKey.limits.length === 0 ? (
          <Text size="sm" c="dimmed">
            No limits.
          </Text>
        ) : (
          <SimpleGrid cols={{ base: 1, md: 2, xl: 3 }} spacing="lg" verticalSpacing="sm">
            {apiKey.limits.map((limit) => (
              <LimitLine key={limit.limitId} limit={limit} now={now} />
            ))}
          </SimpleGrid>
        )}
      </Stack>
    </Paper>
  );
}

function KeyHeading({ apiKey, now }: { apiKey: ApiKey; now: Date }) {
  const { label, color } = keyState(apiKey, now);
  return (
    <div>
      <Group gap="xs">
        <Text fw={600}>{apiKey.name}</Text>
        <Badge size="sm" radius="sm" variant="light" color={color} tt="none">
          {label}
        </Badge>
      </Group>
      <Text size="xs" c="dimmed">
        <span className="mono">{apiKey.secretPrefix}…</span> · made {localDay(new Date(apiKey.createTime))}
        {apiKey.expireTime && ` · expires ${localDay(new Date(apiKey.expireTime))}`}
        {apiKey.allowedModels.length > 0 && ` · only ${apiKey.allowedModels.join(", ")}`}
      </Text>
    </div>
  );
}

function KeyMenu({ apiKey, onEdit, onDelete }: Omit<Props, "now">) {
  return (
    <Group gap={4} wrap="nowrap">
      <Menu position="bottom-end" width={180}>
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" aria-label={`Actions for ${apiKey.name}`}>
            <IconDots size={18} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconEdit size={16} />} onClick={onEdit}>
            Edit
          </Menu.Item>
          <Menu.Item
            leftSection={<IconListDetails size={16} />}
            renderRoot={(props) => (
              <Link to="/requests" search={{ apiKeyId: [apiKey.apiKeyId] }} {...props} />
            )}
          >
            Its requests
          </Menu.Item>
          <EnableItem apiKey={apiKey} />
          <Menu.Divider />
          <Menu.Item color="red" leftSection={<IconTrash size={16} />} onClick={onDelete}>
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
