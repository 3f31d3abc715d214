import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { api, body } from "@/api/client";
import type { NewSettings } from "@/api/schema.gen";
import { useStepUp } from "@/features/step-up/StepUp";

const QUERY_KEY = ["settings"];

export const settingsQuery = queryOptions({
  queryKey: QUERY_KEY,
  queryFn: async ({ signal }) => body(await api.GET("/api/settings", { signal })),
});

/** The settings carry the version that they were made from, so that nobody's edit is undone unseen. */
export function usePutSettings() {
  const queryClient = useQueryClient();
  const stepUp = useStepUp();
  return useMutation({
    mutationFn: (settings: NewSettings) =>
      stepUp(async () => body(await api.PUT("/api/settings", { body: settings }))),
    onSettled: () => queryClient.invalidateQueries({ queryKey: QUERY_KEY }),
  });
}
