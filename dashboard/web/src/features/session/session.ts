import { type QueryClient, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { api, body, rememberCsrfToken } from "@/api/client";
import type { Session } from "@/api/schema.gen";

/** Who is looking: read once, then changed only by signing in and out, or by an answer that ends it. */
export const sessionQuery = queryOptions({
  queryKey: ["session"],
  staleTime: Number.POSITIVE_INFINITY,
  queryFn: async ({ signal }) => {
    const session = body(await api.GET("/api/auth/session", { signal }));
    rememberCsrfToken(session.csrfToken);
    return session;
  },
});

export function forgetSession(queryClient: QueryClient): void {
  rememberCsrfToken(null);
  queryClient.removeQueries({ queryKey: sessionQuery.queryKey });
}

function useSessionChange<Input>(change: (input: Input) => Promise<Session>) {
  const queryClient = useQueryClient();
  const router = useRouter();
  return useMutation({
    mutationFn: change,
    onSuccess: async (session) => {
      rememberCsrfToken(session.csrfToken);
      queryClient.setQueryData(sessionQuery.queryKey, session);
      await router.invalidate();
    },
  });
}

export function useSignIn() {
  return useSessionChange(async (password: string) =>
    body(await api.POST("/api/auth/login", { body: { password } })),
  );
}

export function useSetPassword() {
  return useSessionChange(async (input: { bootstrapToken: string; newPassword: string }) =>
    body(await api.POST("/api/auth/password", { body: input })),
  );
}

export type GivenCode = { code: string } | { recoveryCode: string };

/** The second step of a sign-in. */
export function useVerifyCode() {
  return useSessionChange(async (given: GivenCode) =>
    body(await api.POST("/api/auth/totp/verify", { body: given })),
  );
}

export function useChangePassword() {
  return useSessionChange(async (input: { currentPassword: string; newPassword: string }) =>
    body(await api.POST("/api/auth/password", { body: input })),
  );
}

/** Signing out drops everything that was read, so that nothing of it shows to the next one. */
export function useSignOut() {
  const queryClient = useQueryClient();
  const router = useRouter();
  return useMutation({
    mutationFn: async () => {
      await api.POST("/api/auth/logout");
    },
    onSuccess: async () => {
      rememberCsrfToken(null);
      queryClient.clear();
      await router.invalidate();
    },
  });
}
