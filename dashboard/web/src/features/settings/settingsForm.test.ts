import { expect, test } from "vitest";
import { modelProblem, newPriceFields, settingsFieldsOf, settingsOf } from "@/features/settings/settingsForm";

const SETTINGS = {
  version: 3,
  routingStrategy: "round_robin",
  sticky: false,
  hidePoolLimits: true,
  requestLogRetentionDays: 7,
  priceOverrides: {
    "gpt-5*": { input: "1.25", output: "10", cachedInput: null },
    other: { input: "0", output: "2", cachedInput: "0.5" },
  },
} as const;

test("settings come back from the form as they went in, under the version that is given", () => {
  expect(settingsOf(settingsFieldsOf(SETTINGS), 4)).toEqual({ ...SETTINGS, version: 4 });
});

test("a model is its name or a beginning, and stands in the table once", () => {
  const priced = (model: string) => ({ ...newPriceFields(), model });
  for (const model of ["gpt-5", "gpt-5*", "*"]) {
    expect(modelProblem(model, [priced(model)])).toBeNull();
  }
  for (const model of ["", " ", "a*b", "with blank", "x".repeat(300)]) {
    expect(modelProblem(model, [priced(model)])).toContain("beginning");
  }
  expect(modelProblem("a", [priced("a"), priced(" a")])).toContain("twice");
});
