import { QueryCache, QueryClient } from "@tanstack/react-query";
import { ApiError, isSignedOut } from "@/api/errors";

const STALE_MILLISECONDS = 2_000;
const RETRIES = 2;

/** A definite answer is final; only an unreachable or failing service is asked again. */
function worthRetrying(failures: number, error: Error): boolean {
  const definite = error instanceof ApiError && error.status < 500;
  return !definite && failures < RETRIES;
}

/** The page's cache; `onSignedOut` runs when any answer says that the session is over. */
export function createQueryClient(onSignedOut: () => void): QueryClient {
  return new QueryClient({
    queryCache: new QueryCache({
      onError: (error) => {
        if (isSignedOut(error)) {
          onSignedOut();
        }
      },
    }),
    defaultOptions: { queries: { staleTime: STALE_MILLISECONDS, retry: worthRetrying } },
  });
}
