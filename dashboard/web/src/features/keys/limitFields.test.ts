import { expect, test } from "vitest";
import {
  limitDraftOf,
  limitFieldsOf,
  limitProblem,
  newLimitFields,
  withMetric,
} from "@/features/keys/limitFields";

const STATUS = {
  limitId: "l1",
  metric: "output_tokens",
  window: "18000s",
  timeZone: "Asia/Seoul",
  modelPattern: "gpt-5*",
  enforcement: "shadow" as const,
  maxValue: 500,
  used: 1,
  held: 2,
  available: 497,
  windowStart: "2026-03-01T00:00:00Z",
  resetTime: "2026-03-01T05:00:00Z",
};

test("editing a limit without a change sends the same rule, so that its counters stay", () => {
  const { metric, window, timeZone, modelPattern, enforcement, maxValue } = STATUS;
  expect(limitDraftOf(limitFieldsOf(STATUS))).toEqual({
    metric,
    window,
    timeZone,
    modelPattern,
    enforcement,
    maxValue,
  });
});

test.each(["1s", "90s", "300s", "86400s"])("a fixed window of %s survives the form", (window) => {
  expect(limitDraftOf(limitFieldsOf({ ...STATUS, window })).window).toBe(window);
});

test("a concurrency limit always counts over the lifetime", () => {
  expect(limitDraftOf({ ...newLimitFields(), metric: "concurrency" }).window).toBe("lifetime");
});

test.each([
  [{ maxValue: "" }, /whole number/],
  [{ maxValue: -1 }, /whole number/],
  [{ maxValue: 1.5 }, /whole number/],
  [{ windowKind: "fixed", length: 0 }, /between 1 second/],
  [{ windowKind: "fixed", length: "" }, /between 1 second/],
  [{ modelPattern: "gpt*5" }, /exact name/],
])("%o is refused before it is sent", (changes, problem) => {
  const fields = { ...newLimitFields(), ...changes };
  expect(limitProblem(fields, [fields])).toMatch(problem);
});

test("the same rule twice is refused, another model is another rule", () => {
  const [one, same] = [newLimitFields(), newLimitFields()];
  expect(limitProblem(one, [one, same])).toMatch(/twice/);
  expect(limitProblem(one, [one, { ...same, modelPattern: "gpt-5" }])).toBeNull();
});

test.each([0, 1, 25_000_000, 123_456_789, 999_999_999_999_999, 10 ** 15])(
  "a limit on cost of %i micro-USD survives the form, which shows dollars",
  (maxValue) => {
    const fields = limitFieldsOf({ ...STATUS, metric: "cost_microusd", maxValue });
    expect(fields.maxValue).toBe(maxValue / 1_000_000);
    expect(limitDraftOf(fields).maxValue).toBe(maxValue);
    expect(limitProblem(fields, [fields])).toBeNull();
  },
);

test.each(["", -1, 0.000_000_5, 1_000_000_001, "x"])(
  "%o dollars are refused before they are sent",
  (maxValue) => {
    const fields = { ...newLimitFields(), metric: "cost_microusd", maxValue };
    expect(limitProblem(fields, [fields])).toMatch(/in dollars/);
  },
);

test("dollars and cents become exact micro-USD", () => {
  const fields = { ...newLimitFields(), metric: "cost_microusd", maxValue: 0.1 };
  expect(limitDraftOf(fields).maxValue).toBe(100_000);
  expect(limitDraftOf({ ...fields, maxValue: "19.99" }).maxValue).toBe(19_990_000);
});

test("a maximum in tokens does not become one in dollars, but what was typed stays", () => {
  const cost = withMetric(newLimitFields(), "cost_microusd");
  expect(cost.maxValue).toBe(10);
  expect(withMetric(cost, "requests").maxValue).toBe(1_000_000);
  expect(withMetric({ ...newLimitFields(), maxValue: 25 }, "cost_microusd").maxValue).toBe(25);
});
