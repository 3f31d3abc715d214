import { expect, test } from "vitest";
import { fixedSeconds, limitName, METRIC_NAMES, ruleInWords } from "@/features/keys/rule";

const RULE = { metric: "total_tokens", window: "day", maxValue: 100_000, modelPattern: "" };

test("a rule says what it counts, how much, when it resets and for which models", () => {
  expect(ruleInWords(RULE)).toBe(
    "At most 100,000 tokens, input and output together per day, reset at 00:00 UTC; all models together.",
  );
});

test("a prefix pattern is one budget for all the models that it matches", () => {
  expect(
    ruleInWords({ ...RULE, metric: "requests", window: "minute", maxValue: 60, modelPattern: "gpt-5*" }),
  ).toBe("At most 60 requests per minute; models whose name begins with “gpt-5” together.");
});

test("cost is written in dollars, and as the ledger counts it", () => {
  const cost = { ...RULE, metric: "cost_microusd", window: "month" };
  expect(ruleInWords({ ...cost, maxValue: 25_000_000 })).toBe(
    "At most $25.00 (25,000,000 micro-USD) worth of tokens per month, reset on the 1st at 00:00 UTC; all models together.",
  );
  expect(ruleInWords({ ...cost, maxValue: 1 })).toContain("$0.000001 (1 micro-USD)");
  expect(ruleInWords({ ...cost, maxValue: 0 })).toMatch(/^Nothing of what tokens cost per month/);
});

test("a new limit can count cost", () => {
  expect(METRIC_NAMES).toContain("cost_microusd");
  expect(limitName({ ...RULE, metric: "cost_microusd" })).toBe("Cost in USD per day");
});

test("a fixed window says its length and where it counts from", () => {
  expect(fixedSeconds("18000s")).toBe(18_000);
  expect(ruleInWords({ ...RULE, window: "18000s" })).toContain(
    "in each 5 h, counted from when the limit was made",
  );
});

test("a concurrency limit has no period", () => {
  expect(ruleInWords({ ...RULE, metric: "concurrency", window: "lifetime", maxValue: 8 })).toBe(
    "At most 8 requests at the same time; all models together.",
  );
  expect(limitName({ metric: "concurrency", window: "lifetime", modelPattern: "" })).toBe(
    "Open requests at a time",
  );
});

test("a shadow rule says that it refuses nothing", () => {
  expect(ruleInWords({ ...RULE, enforcement: "shadow" })).toContain("refuses nothing");
});

test("a limit of nothing is said as such", () => {
  expect(ruleInWords({ ...RULE, metric: "requests", maxValue: 0 })).toMatch(/^Nothing of requests per day/);
});
