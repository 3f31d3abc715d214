import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { api, body } from "@/api/client";
import { moments, type RangeName } from "@/lib/timeRange";

/** Everything at one moment, over one range. */
export function overviewQuery(range: RangeName | undefined, interval: number | false) {
  return queryOptions({
    queryKey: ["overview", range],
    refetchInterval: interval,
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }) =>
      body(await api.GET("/api/overview", { params: { query: moments(range, new Date()) }, signal })),
  });
}
