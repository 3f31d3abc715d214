import { Button, Tooltip } from "@mantine/core";
import { IconPlayerPause, IconPlayerPlay } from "@tabler/icons-react";
import { usePolling } from "@/lib/polling";

/** Holds every page still, or lets it follow what happens. */
export function PollingButton() {
  const { paused, toggle } = usePolling();
  const Icon = paused ? IconPlayerPlay : IconPlayerPause;
  return (
    <Tooltip label={paused ? "Refresh every 5 seconds again" : "Stop refreshing"}>
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
