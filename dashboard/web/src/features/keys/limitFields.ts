import type { LimitStatus, NewLimit } from "@/api/schema.gen";
import { fixedSeconds, type Rule } from "@/features/keys/rule";

/** A limit as its form holds it: numbers may still be missing, a fixed window is a length and its unit. */
export type LimitFields = {
  /** Tells the lines of the form apart. */
  id: string;
  metric: string;
  /** A calendar window's name, `lifetime`, or `fixed`. */
  windowKind: string;
  length: number | string;
  unit: LengthUnit;
  maxValue: number | string;
  modelPattern: string;
  shadow: boolean;
  timeZone: string;
};

export const LENGTH_UNITS = { s: 1, min: 60, h: 3600, d: 86_400 } as const;
export type LengthUnit = keyof typeof LENGTH_UNITS;

/** The ledger's own bounds. */
export const MAX_VALUE_MAX = 10 ** 15;
const FIXED_SECONDS_MAX = 10 * 365 * 86_400;
const MODEL_BYTES_MAX = 256;

export function newLimitFields(): LimitFields {
  return {
    id: crypto.randomUUID(),
    metric: "total_tokens",
    windowKind: "day",
    length: 5,
    unit: "h",
    maxValue: 1_000_000,
    modelPattern: "",
    shadow: false,
    timeZone: "UTC",
  };
}

export function limitFieldsOf(limit: LimitStatus): LimitFields {
  const length = fixedSeconds(limit.window);
  return {
    id: crypto.randomUUID(),
    metric: limit.metric,
    windowKind: length === null ? limit.window : "fixed",
    ...lengthAndUnit(length ?? 5 * LENGTH_UNITS.h),
    maxValue: limit.maxValue,
    modelPattern: limit.modelPattern,
    shadow: limit.enforcement === "shadow",
    timeZone: limit.timeZone,
  };
}

/** The limit as the service takes it. A concurrency limit counts what is open now, so it has no period. */
export function limitDraftOf(fields: LimitFields): NewLimit & Rule {
  return {
    metric: fields.metric,
    window: windowOf(fields),
    maxValue: Number(fields.maxValue),
    modelPattern: fields.modelPattern.trim(),
    enforcement: fields.shadow ? "shadow" : "enforce",
    timeZone: fields.timeZone,
  };
}

/** What is wrong with a line, in words; null when it can be sent. */
export function limitProblem(fields: LimitFields, all: readonly LimitFields[]): string | null {
  const { maxValue, window, modelPattern } = limitDraftOf(fields);
  if (fields.maxValue === "" || !Number.isSafeInteger(maxValue) || maxValue < 0 || maxValue > MAX_VALUE_MAX) {
    return "The maximum is a whole number, at least 0";
  }
  const length = fixedSeconds(window);
  if (fields.windowKind === "fixed" && (length === null || length < 1 || length > FIXED_SECONDS_MAX)) {
    return "The window is between 1 second and 10 years long";
  }
  if (/\*./.test(modelPattern) || new TextEncoder().encode(modelPattern).length > MODEL_BYTES_MAX) {
    return "A model is its exact name, or a beginning followed by *";
  }
  return all.filter((other) => identity(other) === identity(fields)).length > 1
    ? "The same rule stands here twice"
    : null;
}

/** What makes two limits of a key the same one. */
function identity(fields: LimitFields): string {
  const { metric, window, modelPattern, timeZone } = limitDraftOf(fields);
  return JSON.stringify([metric, window, modelPattern, timeZone]);
}

function windowOf({ metric, windowKind, length, unit }: LimitFields): string {
  if (metric === "concurrency") {
    return "lifetime";
  }
  return windowKind === "fixed" ? `${Math.round(Number(length) * LENGTH_UNITS[unit])}s` : windowKind;
}

function lengthAndUnit(seconds: number): { length: number; unit: LengthUnit } {
  const units: readonly LengthUnit[] = ["d", "h", "min"];
  const unit = units.find((one) => seconds % LENGTH_UNITS[one] === 0) ?? "s";
  return { length: seconds / LENGTH_UNITS[unit], unit };
}
