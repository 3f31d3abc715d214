import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { api, body } from "@/api/client";
import { facetFilters, listFilters, type RequestSearch } from "@/features/requests/search";

/** One page of the log and the exact total; a relative range is counted back from the moment of asking. */
export function requestLogsQuery(search: RequestSearch, interval: number | false) {
  return queryOptions({
    queryKey: ["request-logs", search],
    refetchInterval: interval,
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => {
      const { page, size } = search;
      const query = { ...listFilters(search, new Date()), limit: size, offset: (page - 1) * size };
      return body(await api.GET("/api/request-logs", { params: { query }, signal }));
    },
  });
}

/** What the facets offer under the other filters. The status takes no part, neither in the key nor in the call. */
export function requestLogOptionsQuery(search: RequestSearch, interval: number | false) {
  const { status: _status, page: _page, size: _size, ...key } = search;
  return queryOptions({
    queryKey: ["request-log-options", key],
    refetchInterval: interval,
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => {
      const query = facetFilters(search, new Date());
      return body(await api.GET("/api/request-logs/options", { params: { query }, signal }));
    },
  });
}
