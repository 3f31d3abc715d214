import { expect, test } from "vitest";
import { limitDraftOf, limitFieldsOf, limitProblem, newLimitFields } from "@/features/keys/limitFields";

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
