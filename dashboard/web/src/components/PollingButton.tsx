import { Button, Tooltip } from "@mantine/core";
import { IconPlayerPause, IconPlayerPlay } from "@tabler/icons-react";
import { POLL_SECONDS, usePolling } from "@/lib/polling";

/** Holds every page still, or lets it follow what happens. */
export function PollingButton() {
  const { paused, toggle, live } = usePolling();
  const Icon = paused ? IconPlayerPlay : IconPlayerPause;
  const hint = live ? "Follows every change; stop it" : `Asks every ${POLL_SECONDS} seconds; stop it`;
  return (
    <Tooltip label={paused ? "Follow what happens again" : hint}>
      <Button
        size="compact-sm"
        variant={paused ? "light" : "subtle"}
        color={paused ? "yellow" : "gray"}
        leftSection={<Icon size={14} />}
        aria-pressed={paused}
        onClick={toggle}
      >
        {paused ? "Paused" : "Live"}
      </Button>
    </Tooltip>
  );
}
