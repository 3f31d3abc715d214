import { infiniteQueryOptions } from "@tanstack/react-query";
import { api, body } from "@/api/client";
import type { SOURCES } from "@/features/audit/search";

export type Source = (typeof SOURCES)[number];

/** Changes, the latest first, a page at a time; the first page alone follows what happens. */
export function auditQuery(source: Source, interval: number | false) {
  return infiniteQueryOptions({
    queryKey: ["audit", source],
    initialPageParam: "",
    queryFn: async ({ pageParam, signal }) =>
      body(await api.GET("/api/audit", { params: { query: { source, pageToken: pageParam } }, signal })),
    getNextPageParam: (page) => page.nextPageToken || undefined,
    refetchInterval: ({ state }) => ((state.data?.pages.length ?? 0) > 1 ? false : interval),
  });
}
