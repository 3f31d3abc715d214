import { expect, test } from "vitest";
import {
  newPolicyFields,
  policiesInWords,
  policiesOf,
  policyFieldsOf,
  policyProblems,
} from "@/features/keys/policyFields";

const OPEN = {
  onMissingUsage: "estimate",
  defaultOutputTokens: 500,
  onQuotadUnavailable: "open",
  unavailableAllowance: { requests: 10, seconds: 90 },
  onUnknownPrice: "default",
  defaultPrice: { microusdPerMillionInputTokens: 1_250_000, microusdPerMillionOutputTokens: 10_000_000 },
} as const;

test("policies come back from the form as they went in", () => {
  expect(policiesOf(policyFieldsOf(OPEN))).toEqual(OPEN);
});

test("what is switched off is not sent, whatever its fields hold", () => {
  const { unavailableAllowance, defaultPrice } = policiesOf(newPolicyFields());
  expect([unavailableAllowance, defaultPrice]).toEqual([null, null]);
});

test("an empty number of output tokens leaves them to the proxy", () => {
  expect(policiesOf(newPolicyFields()).defaultOutputTokens).toBe(0);
  expect(policyFieldsOf({ ...OPEN, defaultOutputTokens: 0 }).defaultOutputTokens).toBe("");
});

test("a field is judged only where it counts", () => {
  const fields = { ...newPolicyFields(), allowanceRequests: "" };
  expect(policyProblems.allowanceRequests("", fields)).toBeNull();
  expect(policyProblems.allowanceRequests("", { ...fields, failOpen: true })).toContain("whole number");
  expect(policyProblems.inputPrice(-1, { ...fields, useDefaultPrice: true })).toContain("USD");
});

test("only what differs from the defaults is told", () => {
  expect(policiesInWords({ ...OPEN, ...policiesOf(newPolicyFields()) } as typeof OPEN)).toEqual([]);
  expect(policiesInWords(OPEN)).toEqual([
    "Without a usage report an estimate of what was relayed is charged.",
    "Holds 500 output tokens where a request names no maximum.",
    "While quotad is away, each proxy admits at most 10 requests in 1 min 30 s.",
    "A model without a known price costs $1.25 in and $10 out per million tokens.",
  ]);
});
