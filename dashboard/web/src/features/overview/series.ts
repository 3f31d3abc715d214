import type { Overview, UsageSpan } from "@/api/schema.gen";
import { MICRO_USD } from "@/lib/format";

/** What a chart draws for one span of time. */
export type Point = {
  /** Milliseconds since 1970 at which it begins. */
  time: number;
  ok: number;
  refused: number;
  failed: number;
  cancelled: number;
  input: number;
  output: number;
  dollars: number;
  /** Of all requests, in percent; null where there were none. */
  refusedPercent: number | null;
  failedPercent: number | null;
};

/** One point for each span of the range: spans without requests are drawn as nothing, not left out. */
export function pointsOf({
  points,
  since,
  until,
  spanSeconds,
}: Pick<Overview, "points" | "since" | "until" | "spanSeconds">): Point[] {
  const span = spanSeconds * 1000;
  const known = new Map(points.map((point) => [Date.parse(point.time), point]));
  const drawn: Point[] = [];
  for (let time = Math.floor(Date.parse(since) / span) * span; time < Date.parse(until); time += span) {
    drawn.push(pointOf(time, known.get(time)));
  }
  return drawn;
}

function pointOf(time: number, span: UsageSpan | undefined): Point {
  const { requestCount = 0, refusedCount = 0, errorCount = 0, cancelledCount = 0 } = span ?? {};
  return {
    time,
    ok: requestCount - refusedCount - errorCount - cancelledCount,
    refused: refusedCount,
    failed: errorCount,
    cancelled: cancelledCount,
    input: span?.inputTokens ?? 0,
    output: span?.outputTokens ?? 0,
    dollars: (span?.costMicrousd ?? 0) / MICRO_USD,
    refusedPercent: percent(refusedCount, requestCount),
    failedPercent: percent(errorCount, requestCount),
  };
}

/** A share of a whole; of nothing there is none. */
export function percent(part: number, whole: number): number | null {
  return whole === 0 ? null : Math.round((1000 * part) / whole) / 10;
}

/** `3.4 %`, and a dash where there is nothing to take a share of. */
export function percentWords(part: number, whole: number): string {
  const value = percent(part, whole);
  return value === null ? "–" : `${value} %`;
}
