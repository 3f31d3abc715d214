import { z } from "zod";

/** Ranges that end now; in the address they stay relative, so that a bookmarked page stays live. */
export const RANGES = {
  "15m": { label: "Last 15 minutes", short: "15 min", seconds: 900 },
  "1h": { label: "Last hour", short: "1 h", seconds: 3600 },
  "6h": { label: "Last 6 hours", short: "6 h", seconds: 21_600 },
  "24h": { label: "Last 24 hours", short: "24 h", seconds: 86_400 },
  "7d": { label: "Last 7 days", short: "7 d", seconds: 604_800 },
  "30d": { label: "Last 30 days", short: "30 d", seconds: 2_592_000 },
} as const;

export type RangeName = keyof typeof RANGES;
export const RANGE_NAMES = Object.keys(RANGES) as RangeName[];
export const DEFAULT_RANGE: RangeName = "24h";

/** A page's range as it stands in the address; without one it is a day. */
export const rangeSearch = z.object({ range: z.enum(RANGE_NAMES).optional().catch(undefined) });

/** The moments that a range means when it is asked for. */
export function moments(range: RangeName | undefined, now: Date): { since: string; until: string } {
  const { seconds } = RANGES[range ?? DEFAULT_RANGE];
  return { since: new Date(now.getTime() - seconds * 1000).toISOString(), until: now.toISOString() };
}
