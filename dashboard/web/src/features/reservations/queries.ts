import { keepPreviousData, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { api, body } from "@/api/client";
import type { ReservationSearch } from "@/features/reservations/search";

const QUERY_KEY = "reservations";

export function filtersOf({ state, age, apiKeyId }: ReservationSearch) {
  return { state, apiKeyId, ageMinSeconds: age && Number(age) };
}

/** One page, oldest first. */
export function reservationsQuery(search: ReservationSearch, interval: number | false) {
  return queryOptions({
    queryKey: [QUERY_KEY, search],
    refetchInterval: interval,
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => {
      const query = { ...filtersOf(search), pageToken: search.page?.at(-1) };
      return body(await api.GET("/api/reservations", { params: { query }, signal }));
    },
  });
}

export function useForceRelease() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: async ({ reservationId, reason }: { reservationId: string; reason: string }) =>
      body(
        await api.POST("/api/reservations/{reservationId}/force-release", {
          params: { path: { reservationId } },
          body: { reason, confirmed: true },
        }),
      ),
    onSettled: () => queryClient.invalidateQueries({ queryKey: [QUERY_KEY] }),
  });
}
