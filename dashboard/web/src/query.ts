import { MutationCache, QueryCache, QueryClient } from "@tanstack/react-query";
import { ApiError, isSessionOver } from "@/api/errors";

const STALE_MILLISECONDS = 2_000;
const RETRIES = 1;

/** A definite answer is final; only an unreachable or failing service is asked again. */
function worthRetrying(failures: number, error: Error): boolean {
  const definite = error instanceof ApiError && error.status < 500;
  return !definite && failures < RETRIES;
}

/** The page's cache; `onSessionOver` runs when any answer says that the session is over. */
export function createQueryClient(onSessionOver: () => void): QueryClient {
  const onError = (error: Error) => {
    if (isSessionOver(error)) {
      onSessionOver();
    }
  };
  return new QueryClient({
    queryCache: new QueryCache({ onError }),
    mutationCache: new MutationCache({ onError }),
    defaultOptions: { queries: { staleTime: STALE_MILLISECONDS, retry: worthRetrying } },
  });
}
