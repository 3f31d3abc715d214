import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { api, body } from "@/api/client";
import type { Account, AddedAccount, ImportedAccount, NewCredentials } from "@/api/schema.gen";
import { useStepUp } from "@/features/step-up/StepUp";

const QUERY_KEY = ["accounts"];

export function accountsQuery(interval: number | false) {
  return queryOptions({
    queryKey: QUERY_KEY,
    refetchInterval: interval,
    queryFn: async ({ signal }) => body(await api.GET("/api/accounts", { signal })).accounts,
  });
}

export function useAddAccount() {
  return useAccountChange(async (added: AddedAccount) =>
    body(await api.POST("/api/accounts", { body: added })),
  );
}

export function useImportAccount() {
  return useAccountChange(async (imported: ImportedAccount) =>
    body(await api.POST("/api/accounts/import", { body: imported })),
  );
}

export function usePauseAccount() {
  return useAccountChange(async ({ accountId }: Account) =>
    body(await api.POST("/api/accounts/{accountId}/pause", { params: { path: { accountId } } })),
  );
}

export function useResumeAccount() {
  return useAccountChange(async ({ accountId }: Account) =>
    body(await api.POST("/api/accounts/{accountId}/resume", { params: { path: { accountId } } })),
  );
}

export function useReplaceCredentials() {
  return useAccountChange(
    async ({ accountId, credentials }: { accountId: string; credentials: NewCredentials }) =>
      body(
        await api.PUT("/api/accounts/{accountId}/credentials", {
          params: { path: { accountId } },
          body: credentials,
        }),
      ),
  );
}

export function useDeleteAccount() {
  return useAccountChange(async ({ accountId }: Account) => {
    await api.DELETE("/api/accounts/{accountId}", { params: { path: { accountId } } });
  });
}

function useAccountChange<Input, Output>(change: (input: Input) => Promise<Output>) {
  const queryClient = useQueryClient();
  const stepUp = useStepUp();
  return useMutation({
    mutationFn: (input: Input) => stepUp(() => change(input)),
    // What was sent may be a secret: it is not kept once the dialog is closed.
    gcTime: 0,
    onSettled: () => queryClient.invalidateQueries({ queryKey: QUERY_KEY }),
  });
}
