import { useLocalStorage } from "@mantine/hooks";
import { createContext, type ReactNode, use } from "react";

/** Often enough to follow a running request, rare enough to cost one operator's page nothing. */
const POLL_SECONDS = 5;

type Polling = {
  paused: boolean;
  toggle: () => void;
  /** What TanStack Query takes as `refetchInterval`. */
  interval: number | false;
};

const PollingContext = createContext<Polling>({ paused: true, toggle: () => undefined, interval: false });

/** The one clock by which every page asks again; pausing it holds them all still. */
export function PollingProvider({ children }: { children: ReactNode }) {
  const [paused, setPaused] = useLocalStorage({ key: "polling-paused", defaultValue: false });
  const polling: Polling = {
    paused,
    toggle: () => setPaused((value) => !value),
    interval: paused ? false : POLL_SECONDS * 1000,
  };
  return <PollingContext value={polling}>{children}</PollingContext>;
}

export function usePolling(): Polling {
  return use(PollingContext);
}
