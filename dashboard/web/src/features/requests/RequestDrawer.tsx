import { ActionIcon, Drawer, Group, Stack, Text, Tooltip } from "@mantine/core";
import { useHotkeys } from "@mantine/hooks";
import { IconChevronDown, IconChevronUp } from "@tabler/icons-react";
import { useRef } from "react";
import type { RequestLog } from "@/api/schema.gen";
import { Moment } from "@/components/Moment";
import { RequestDetail } from "@/features/requests/RequestDetail";
import { StatusBadge } from "@/features/requests/StatusBadge";

type Props = {
  requests: RequestLog[];
  /** The id of the request that is shown. */
  opened: string | null;
  onOpen: (id: string | null) => void;
};

/** One request in full, beside the list; J and K walk through the list. */
export function RequestDrawer({ requests, opened, onOpen }: Props) {
  const index = requests.findIndex(({ requestLogId }) => requestLogId === opened);
  const request = useLast(requests[index]);
  const step = (by: number) => {
    const next = requests[index + by];
    if (opened !== null && index >= 0 && next) {
      onOpen(next.requestLogId);
    }
  };
  useHotkeys([
    ["K", () => step(-1)],
    ["J", () => step(1)],
  ]);
  return (
    <Drawer
      opened={opened !== null}
      onClose={() => onOpen(null)}
      position="right"
      size="lg"
      overlayProps={{ backgroundOpacity: 0.25 }}
      closeButtonProps={{ "aria-label": "Close" }}
      title={request && <Heading request={request} />}
    >
      {request && (
        <Stack gap="lg">
          <Group gap={4}>
            <StepButton
              label="Newer request"
              icon={IconChevronUp}
              disabled={index <= 0}
              onClick={() => step(-1)}
            />
            <StepButton
              label="Older request (J)"
              icon={IconChevronDown}
              disabled={index < 0 || index === requests.length - 1}
              onClick={() => step(1)}
            />
            <Text size="xs" c="dimmed">
              {request.path}
            </Text>
          </Group>
          <RequestDetail request={request} />
        </Stack>
      )}
    </Drawer>
  );
}

function Heading({ request }: { request: RequestLog }) {
  return (
    <Group gap="xs" component="span">
      <StatusBadge status={request.status} />
      <Text span fw={600} size="sm">
        {request.model ?? request.path}
      </Text>
      <Text span c="dimmed" size="sm">
        <Moment value={request.startTime} />
      </Text>
    </Group>
  );
}

type StepProps = { label: string; icon: typeof IconChevronUp; disabled: boolean; onClick: () => void };

function StepButton({ label, icon: Icon, disabled, onClick }: StepProps) {
  return (
    <Tooltip label={label}>
      <ActionIcon size="sm" variant="default" aria-label={label} disabled={disabled} onClick={onClick}>
        <Icon size={14} />
      </ActionIcon>
    </Tooltip>
  );
}

/** The last value there was: what is being read stays, even when newer rows have pushed it off the page. */
function useLast<T>(value: T | undefined): T | undefined {
  const last = useRef(value);
  if (value !== undefined) {
    last.current = value;
  }
  return last.current;
}
