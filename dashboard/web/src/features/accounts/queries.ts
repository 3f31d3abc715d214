import { queryOptions } from "@tanstack/react-query";
import { api, body } from "@/api/client";

export function accountsQuery(interval: number | false) {
  return queryOptions({
    queryKey: ["accounts"],
    refetchInterval: interval,
    queryFn: async ({ signal }) => body(await api.GET("/api/accounts", { signal })).accounts,
  });
}
