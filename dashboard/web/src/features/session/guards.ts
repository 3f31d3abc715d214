import type { QueryClient } from "@tanstack/react-query";
import { redirect } from "@tanstack/react-router";
import { sessionQuery } from "@/features/session/session";

type Visit = { context: { queryClient: QueryClient }; location: { href: string } };

/** Pages behind the sign-in: sends a visitor to the step that is due and remembers where they were going. */
export async function requireSession({ context, location }: Visit): Promise<void> {
  const session = await context.queryClient.ensureQueryData(sessionQuery);
  if (!session.passwordSet) {
    throw redirect({ to: "/first-start" });
  }
  if (!session.authenticated) {
    throw redirect({ to: "/sign-in", search: { next: location.href } });
  }
}

/** The sign-in itself: nobody who is through it stays there. */
export async function requireSignedOut({
  context,
  search,
}: {
  context: { queryClient: QueryClient };
  search: { next?: string };
}): Promise<void> {
  const session = await context.queryClient.ensureQueryData(sessionQuery);
  if (!session.passwordSet) {
    throw redirect({ to: "/first-start" });
  }
  if (session.authenticated) {
    throw redirect({ href: ownPath(search.next) });
  }
}

export async function requireNoPassword({
  context,
}: {
  context: { queryClient: QueryClient };
}): Promise<void> {
  const session = await context.queryClient.ensureQueryData(sessionQuery);
  if (session.passwordSet) {
    throw redirect({ to: "/overview" });
  }
}

/** Only a path of this page: `next` stands in the address, where anybody may have put another host. */
export function ownPath(next: string | undefined): string {
  return next?.startsWith("/") && !/^\/[/\\]/.test(next) ? next : "/overview";
}
