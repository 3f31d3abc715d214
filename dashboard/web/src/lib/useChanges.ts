import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { concerned, readKinds } from "@/lib/changes";
import { usePolling } from "@/lib/polling";

/** After a refusal, which a browser takes for final. */
const RETRY_MILLISECONDS = 30_000;

/** Reads again what the service says has changed; while it says nothing at all, polling goes on as ever. */
export function useChanges(): void {
  const queryClient = useQueryClient();
  const { paused, setLive } = usePolling();
  useEffect(() => {
    if (paused) {
      return;
    }
    let timer: ReturnType<typeof setTimeout> | undefined;
    let source: EventSource | undefined;
    const open = () => {
      source = new EventSource("/api/events");
      source.addEventListener("hello", () => setLive(true));
      source.addEventListener("changed", ({ data }) => {
        const keys = concerned(readKinds(data));
        void queryClient.invalidateQueries({ predicate: ({ queryKey }) => keys.has(String(queryKey[0])) });
      });
      source.addEventListener("ended", () => {
        setLive(false);
        source?.close();
        void queryClient.invalidateQueries();
        timer = setTimeout(open, RETRY_MILLISECONDS);
      });
      source.onerror = () => {
        setLive(false);
        if (source?.readyState === EventSource.CLOSED) {
          timer = setTimeout(open, RETRY_MILLISECONDS);
        }
      };
    };
    open();
    return () => {
      clearTimeout(timer);
      source?.close();
      setLive(false);
    };
  }, [paused, queryClient, setLive]);
}
