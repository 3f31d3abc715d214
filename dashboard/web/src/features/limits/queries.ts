import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { api, body } from "@/api/client";
import type { LimitSearch } from "@/features/limits/search";

/** Pages of limits, the fullest or the next to reset first, with the accounts' windows. */
export function rateLimitsQuery({ order }: LimitSearch, interval: number | false) {
  return infiniteQueryOptions({
    queryKey: ["rate-limits", "list", order],
    refetchInterval: interval,
    initialPageParam: "",
    queryFn: async ({ signal, pageParam }) =>
      body(await api.GET("/api/rate-limits", { params: { query: { order, pageToken: pageParam } }, signal })),
    getNextPageParam: ({ nextPageToken }) => nextPageToken || null,
  });
}

/** What a proxy tells the holder of a key at this moment. */
export function keyHeadersQuery(apiKeyId: string, interval: number | false) {
  return queryOptions({
    queryKey: ["rate-limits", "headers", apiKeyId],
    refetchInterval: interval,
    queryFn: async ({ signal }) =>
      body(await api.GET("/api/rate-limits/headers", { params: { query: { apiKeyId } }, signal })),
  });
}
