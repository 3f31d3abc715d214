import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { api, body } from "@/api/client";
import type { ApiKey, ApiKeyChanges, NewApiKey } from "@/api/schema.gen";
import { useStepUp } from "@/features/step-up/StepUp";

const QUERY_KEY = ["api-keys"];

/** All keys with the state of their limits, in the order they were made. */
export function apiKeysQuery(interval: number | false) {
  return queryOptions({
    queryKey: QUERY_KEY,
    refetchInterval: interval,
    queryFn: async ({ signal }) => readAllPages(signal),
  });
}

async function readAllPages(signal: AbortSignal): Promise<ApiKey[]> {
  const apiKeys: ApiKey[] = [];
  let pageToken = "";
  do {
    const page = body(await api.GET("/api/api-keys", { params: { query: { pageToken } }, signal }));
    apiKeys.push(...page.apiKeys);
    pageToken = page.nextPageToken;
  } while (pageToken);
  return apiKeys;
}

export function useCreateKey() {
  return useKeyChange(async (draft: NewApiKey) => body(await api.POST("/api/api-keys", { body: draft })));
}

/** A change carries the version that it was made from, so that it never overwrites somebody else's. */
export function useUpdateKey() {
  return useKeyChange(async ({ apiKey, changes }: { apiKey: ApiKey; changes: ApiKeyChanges }) =>
    body(
      await api.PATCH("/api/api-keys/{apiKeyId}", {
        params: { path: { apiKeyId: apiKey.apiKeyId } },
        body: { etag: apiKey.etag, ...changes },
      }),
    ),
  );
}

export function useRotateKey() {
  return useKeyChange(async ({ apiKey, graceSeconds }: { apiKey: ApiKey; graceSeconds: number }) =>
    body(
      await api.POST("/api/api-keys/{apiKeyId}/rotate", {
        params: { path: { apiKeyId: apiKey.apiKeyId } },
        body: { graceSeconds, etag: apiKey.etag },
      }),
    ),
  );
}

export function useDeleteKey() {
  return useKeyChange(async ({ apiKeyId, etag }: ApiKey) => {
    await api.DELETE("/api/api-keys/{apiKeyId}", { params: { path: { apiKeyId }, query: { etag } } });
  });
}

function useKeyChange<Input, Output>(change: (input: Input) => Promise<Output>) {
  const queryClient = useQueryClient();
  const stepUp = useStepUp();
  return useMutation({
    mutationFn: (input: Input) => stepUp(() => change(input)),
    onSettled: () => queryClient.invalidateQueries({ queryKey: QUERY_KEY }),
  });
}
