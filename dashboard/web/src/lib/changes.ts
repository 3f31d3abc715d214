/** What the service names when it changes, and the queries that show it. */
const SHOWN_BY: Record<string, readonly string[]> = {
  requests: ["request-logs", "request-log-options", "rate-limits", "api-keys", "groups", "usage", "overview"],
  reservations: ["reservations", "overview"],
  refusals: ["refusals", "overview"],
  limits: ["rate-limits", "api-keys", "groups", "overview"],
  accounts: ["accounts", "rate-limits", "overview"],
};

/** The first parts of the keys of all queries that the changed kinds concern; of a kind that is not known, none. */
export function concerned(kinds: readonly string[]): Set<string> {
  return new Set(kinds.flatMap((kind) => SHOWN_BY[kind] ?? []));
}

/** The kinds that an event names; none where it cannot be read. */
export function readKinds(data: string): string[] {
  try {
    const { kinds } = JSON.parse(data) as { kinds?: unknown };
    return Array.isArray(kinds) ? kinds.filter((kind) => typeof kind === "string") : [];
  } catch {
    return [];
  }
}
