import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { api, body } from "@/api/client";
import type { RefusalSearch } from "@/features/refusals/search";
import { moments } from "@/lib/timeRange";

export function refusalsQuery(search: RefusalSearch, interval: number | false) {
  return queryOptions({
    queryKey: ["refusals", search],
    refetchInterval: interval,
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => {
      const { range, apiKeyId, limitId } = search;
      const query = { ...moments(range, new Date()), apiKeyId, limitId };
      return body(await api.GET("/api/refusals", { params: { query }, signal }));
    },
  });
}
