import { queryOptions } from "@tanstack/react-query";
import { api, body } from "@/api/client";

/** Whose usage is asked for. */
export type UsageOwner = { kind: "key" | "group"; id: string; name: string };

/** What a key, or all keys below a group, were charged in the last hours. */
export function usageQuery(owner: UsageOwner, hours: number, interval: number | false) {
  return queryOptions({
    queryKey: ["usage", owner.kind, owner.id, hours],
    refetchInterval: interval,
    queryFn: async ({ signal }) => {
      const query = { since: new Date(Date.now() - hours * 3_600_000).toISOString() };
      return owner.kind === "key"
        ? body(
            await api.GET("/api/api-keys/{apiKeyId}/usage", {
              params: { path: { apiKeyId: owner.id }, query },
              signal,
            }),
          )
        : body(
            await api.GET("/api/groups/{groupId}/usage", {
              params: { path: { groupId: owner.id }, query },
              signal,
            }),
          );
    },
  });
}
