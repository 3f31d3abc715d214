import { z } from "zod";

const violation = z.object({
  limitId: z.string(),
  metric: z.string(),
  window: z.string(),
  modelPattern: z.string().default(""),
  maxValue: z.number(),
  used: z.number(),
  held: z.number(),
  requested: z.number(),
  available: z.number(),
  resetTime: z.string().nullable().default(null),
  blockedBy: z.enum(["used", "held"]),
  neverFits: z.boolean(),
});

const denial = z.object({
  limits: z.array(violation).min(1),
  retryAfterSeconds: z.number().nullable().default(null),
});

export type Violation = z.output<typeof violation>;
export type Denial = z.output<typeof denial>;

/** The limits that refused a request, as its proxy wrote them down; null where it wrote nothing that can be read. */
export function readDenial(written: unknown): Denial | null {
  return denial.safeParse(inCamelCase(written)).data ?? null;
}

/** The log keeps what a proxy wrote as it is, in the ledger's spelling. */
function inCamelCase(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(inCamelCase);
  }
  if (typeof value !== "object" || value === null) {
    return value;
  }
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [camelName(name), inCamelCase(inner)]),
  );
}

function camelName(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
