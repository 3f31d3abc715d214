import type { FormErrors } from "@mantine/form";
import type { LimitStatus, NewLimit } from "@/api/schema.gen";
import { fixedSeconds, type Rule } from "@/features/keys/rule";
import { COST, MICRO_USD } from "@/lib/format";

/** A limit as its form holds it: numbers may still be missing, a fixed window is a length and its unit. */
export type LimitFields = {
  /** Tells the lines of the form apart. */
  id: string;
  metric: string;
  /** A calendar window's name, `lifetime`, or `fixed`. */
  windowKind: string;
  length: number | string;
  unit: LengthUnit;
  /** In what people count in: dollars for cost. */
  maxValue: number | string;
  modelPattern: string;
  shadow: boolean;
  timeZone: string;
};

/** What the limits' editor needs of a form, whatever else the form holds. */
export type LimitsForm = {
  values: { limits: LimitFields[] };
  errors: FormErrors;
  // biome-ignore lint/suspicious/noExplicitAny: Mantine's own type of what an input is given
  getInputProps: (path: string) => any;
  insertListItem: (path: string, item: LimitFields) => void;
  removeListItem: (path: string, index: number) => void;
};

export const LENGTH_UNITS = { s: 1, min: 60, h: 3600, d: 86_400 } as const;
export type LengthUnit = keyof typeof LENGTH_UNITS;

/** The ledger's own bounds. */
export const MAX_VALUE_MAX = 10 ** 15;
/** A dollar has a million of the ledger's units. */
export const COST_DECIMALS = 6;
const FIXED_SECONDS_MAX = 10 * 365 * 86_400;
const MODEL_BYTES_MAX = 256;

export function newLimitFields(): LimitFields {
  return {
    id: crypto.randomUUID(),
    metric: "total_tokens",
    windowKind: "day",
    length: 5,
    unit: "h",
    maxValue: firstMaximum("total_tokens"),
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
    maxValue: limit.metric === COST ? limit.maxValue / MICRO_USD : limit.maxValue,
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
    maxValue: maxValueOf(fields),
    modelPattern: fields.modelPattern.trim(),
    enforcement: fields.shadow ? "shadow" : "enforce",
    timeZone: fields.timeZone,
  };
}

/** What is wrong with a line, in words; null when it can be sent. */
export function limitProblem(fields: LimitFields, all: readonly LimitFields[]): string | null {
  const { maxValue, window, modelPattern } = limitDraftOf(fields);
  if (fields.metric === COST && !isAmountOfMoney(fields.maxValue, maxValue)) {
    return "The maximum is in dollars, at least 0, with at most six decimals";
  }
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

/** Another metric for a line; a maximum that nobody has touched becomes one that fits it. */
export function withMetric(fields: LimitFields, metric: string): LimitFields {
  const isTouched = fields.maxValue !== firstMaximum(fields.metric);
  return { ...fields, metric, maxValue: isTouched ? fields.maxValue : firstMaximum(metric) };
}

function firstMaximum(metric: string): number {
  return metric === COST ? 10 : 1_000_000;
}

/** In the ledger's unit. */
function maxValueOf({ metric, maxValue }: LimitFields): number {
  return metric === COST ? Math.round(Number(maxValue) * MICRO_USD) : Number(maxValue);
}

function isAmountOfMoney(dollars: number | string, microUsd: number): boolean {
  const isExact = Number(Number(dollars).toFixed(COST_DECIMALS)) === Number(dollars);
  return dollars !== "" && isExact && microUsd >= 0 && microUsd <= MAX_VALUE_MAX;
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
