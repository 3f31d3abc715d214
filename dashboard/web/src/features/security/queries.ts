import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { api, body } from "@/api/client";
import type { GivenCode } from "@/features/session/session";
import { useStepUp } from "@/features/step-up/StepUp";

export const totpQuery = queryOptions({
  queryKey: ["totp"],
  queryFn: async ({ signal }) => body(await api.GET("/api/auth/totp", { signal })),
});

const SESSIONS = ["sessions"];

export function sessionsQuery(interval: number | false) {
  return queryOptions({
    queryKey: SESSIONS,
    refetchInterval: interval,
    queryFn: async ({ signal }) => body(await api.GET("/api/auth/sessions", { signal })).sessions,
  });
}

export function useSetUpTotp() {
  const stepUp = useStepUp();
  return useMutation({ mutationFn: () => stepUp(async () => body(await api.POST("/api/auth/totp/setup"))) });
}

export function useConfirmTotp() {
  return useChange(totpQuery.queryKey, async (code: string) =>
    body(await api.POST("/api/auth/totp/confirm", { body: { code } })),
  );
}

export function useDisableTotp() {
  return useChange(totpQuery.queryKey, async (given: GivenCode) => {
    await api.POST("/api/auth/totp/disable", { body: given });
  });
}

export function useRenewRecoveryCodes() {
  const stepUp = useStepUp();
  return useChange(totpQuery.queryKey, () =>
    stepUp(async () => body(await api.POST("/api/auth/recovery-codes"))),
  );
}

export function useRevokeSession() {
  return useChange(SESSIONS, async (sessionId: string) => {
    await api.DELETE("/api/auth/sessions/{sessionId}", { params: { path: { sessionId } } });
  });
}

export function useRevokeOtherSessions() {
  return useChange(SESSIONS, async () => body(await api.POST("/api/auth/sessions/revoke-others")));
}

function useChange<Output, Input = void>(
  queryKey: readonly string[],
  change: (input: Input) => Promise<Output>,
) {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: change,
    onSettled: () => queryClient.invalidateQueries({ queryKey }),
  });
}
