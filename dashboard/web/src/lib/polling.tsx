import { useLocalStorage } from "@mantine/hooks";
import { useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, use, useCallback, useState, useSyncExternalStore } from "react";

/** Often enough to follow a running request, rare enough to cost one operator's page nothing. */
export const POLL_SECONDS = 5;
/** While the service tells what changes, asking only makes good what was not told. */
const LIVE_POLL_SECONDS = 10;

type Polling = {
  paused: boolean;
  toggle: () => void;
  /** What TanStack Query takes as `refetchInterval`. */
  interval: number | false;
  /** Whether the service tells what changes. */
  live: boolean;
  setLive: (live: boolean) => void;
};

const nothing = () => undefined;
const PollingContext = createContext<Polling>({
  paused: true,
  toggle: nothing,
  interval: false,
  live: false,
  setLive: nothing,
});

/** The one clock by which every page asks again; pausing it holds them all still. */
export function PollingProvider({ children }: { children: ReactNode }) {
  const [paused, setPaused] = useLocalStorage({ key: "polling-paused", defaultValue: false });
  const [live, setLive] = useState(false);
  const failing = useIsAnythingFailing();
  const seconds = live && !failing ? LIVE_POLL_SECONDS : POLL_SECONDS;
  const polling: Polling = {
    paused,
    toggle: () => setPaused((value) => !value),
    interval: paused ? false : seconds * 1000,
    live,
    setLive,
  };
  return <PollingContext value={polling}>{children}</PollingContext>;
}

export function usePolling(): Polling {
  return use(PollingContext);
}

/** What failed is asked for again soon, whatever else is told. */
function useIsAnythingFailing(): boolean {
  const cache = useQueryClient().getQueryCache();
  const subscribe = useCallback((onChange: () => void) => cache.subscribe(onChange), [cache]);
  return useSyncExternalStore(subscribe, () =>
    cache.findAll({ type: "active" }).some((query) => query.state.error !== null),
  );
}
