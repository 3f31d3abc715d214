import type { NewPolicies, Policies } from "@/api/schema.gen";
import { count, MICRO_USD, seconds } from "@/lib/format";

/** A key's policies as their form holds them: numbers may still be missing, prices are in USD. */
export type PolicyFields = {
  onMissingUsage: Policies["onMissingUsage"];
  /** Empty leaves it to the proxy. */
  defaultOutputTokens: number | string;
  failOpen: boolean;
  allowanceRequests: number | string;
  allowanceSeconds: number | string;
  useDefaultPrice: boolean;
  inputPrice: number | string;
  outputPrice: number | string;
};

/** The ledger's own bounds. */
export const OUTPUT_TOKENS_MAX = 10 ** 12;
export const ALLOWANCE_REQUESTS_MAX = 1_000_000;
export const ALLOWANCE_SECONDS_MAX = 86_400;
export const PRICE_USD_MAX = 1_000_000;

export function newPolicyFields(): PolicyFields {
  return {
    onMissingUsage: "release",
    defaultOutputTokens: "",
    failOpen: false,
    allowanceRequests: 10,
    allowanceSeconds: 60,
    useDefaultPrice: false,
    inputPrice: 2,
    outputPrice: 10,
  };
}

export function policyFieldsOf(policies: Policies): PolicyFields {
  const { unavailableAllowance: allowance, defaultPrice: price } = policies;
  const defaults = newPolicyFields();
  return {
    onMissingUsage: policies.onMissingUsage,
    defaultOutputTokens: policies.defaultOutputTokens || "",
    failOpen: policies.onQuotadUnavailable === "open",
    allowanceRequests: allowance?.requests ?? defaults.allowanceRequests,
    allowanceSeconds: allowance?.seconds ?? defaults.allowanceSeconds,
    useDefaultPrice: policies.onUnknownPrice === "default",
    inputPrice: price ? price.microusdPerMillionInputTokens / MICRO_USD : defaults.inputPrice,
    outputPrice: price ? price.microusdPerMillionOutputTokens / MICRO_USD : defaults.outputPrice,
  };
}

/** The policies as the service takes them. */
export function policiesOf(fields: PolicyFields): NewPolicies {
  const { failOpen, useDefaultPrice } = fields;
  return {
    onMissingUsage: fields.onMissingUsage,
    defaultOutputTokens: Number(fields.defaultOutputTokens),
    onQuotadUnavailable: failOpen ? "open" : "closed",
    unavailableAllowance: failOpen
      ? { requests: Number(fields.allowanceRequests), seconds: Number(fields.allowanceSeconds) }
      : null,
    onUnknownPrice: useDefaultPrice ? "default" : "refuse",
    defaultPrice: useDefaultPrice
      ? {
          microusdPerMillionInputTokens: microUsd(fields.inputPrice),
          microusdPerMillionOutputTokens: microUsd(fields.outputPrice),
        }
      : null,
  };
}

/** What is wrong with each field, in words; null for what can be sent. */
export const policyProblems = {
  defaultOutputTokens: (value: number | string) =>
    value === "" ? null : wholeNumberProblem(value, 0, OUTPUT_TOKENS_MAX),
  allowanceRequests: (value: number | string, { failOpen }: PolicyFields) =>
    failOpen ? wholeNumberProblem(value, 1, ALLOWANCE_REQUESTS_MAX) : null,
  allowanceSeconds: (value: number | string, { failOpen }: PolicyFields) =>
    failOpen ? wholeNumberProblem(value, 1, ALLOWANCE_SECONDS_MAX) : null,
  inputPrice: (value: number | string, { useDefaultPrice }: PolicyFields) =>
    useDefaultPrice ? priceProblem(value) : null,
  outputPrice: (value: number | string, { useDefaultPrice }: PolicyFields) =>
    useDefaultPrice ? priceProblem(value) : null,
};

/** What differs from the defaults, one sentence each. */
export function policiesInWords(policies: Policies): string[] {
  const { unavailableAllowance: allowance, defaultPrice: price } = policies;
  const words: string[] = [];
  if (policies.onMissingUsage !== "release") {
    words.push(`Without a usage report ${MISSING_USAGE_WORDS[policies.onMissingUsage]}.`);
  }
  if (policies.defaultOutputTokens > 0) {
    words.push(
      `Holds ${count(policies.defaultOutputTokens)} output tokens where a request names no maximum.`,
    );
  }
  if (allowance) {
    const { requests } = allowance;
    const most = `${count(requests)} ${requests === 1 ? "request" : "requests"} in ${seconds(allowance.seconds)}`;
    words.push(`While quotad is away, each proxy admits at most ${most}.`);
  }
  if (price) {
    const input = price.microusdPerMillionInputTokens / MICRO_USD;
    const output = price.microusdPerMillionOutputTokens / MICRO_USD;
    words.push(`A model without a known price costs $${input} in and $${output} out per million tokens.`);
  }
  return words;
}

const MISSING_USAGE_WORDS: Record<Policies["onMissingUsage"], string> = {
  release: "nothing is charged",
  estimate: "an estimate of what was relayed is charged",
  reserved: "all that was held is charged",
};

function microUsd(usd: number | string): number {
  return Math.round(Number(usd) * MICRO_USD);
}

function wholeNumberProblem(value: number | string, least: number, most: number): string | null {
  const number = Number(value);
  const isRight = value !== "" && Number.isInteger(number) && number >= least && number <= most;
  return isRight ? null : `A whole number, ${count(least)} to ${count(most)}`;
}

function priceProblem(value: number | string): string | null {
  const number = Number(value);
  const isRight = value !== "" && number >= 0 && number <= PRICE_USD_MAX;
  return isRight ? null : `USD, 0 to ${count(PRICE_USD_MAX)}`;
}
