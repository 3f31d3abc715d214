import { expect, test } from "vitest";
import type { RefusalSample } from "@/api/schema.gen";
import { fitInWords, refusalInWords } from "@/features/refusals/words";

const SAMPLE: RefusalSample = {
  time: "2026-05-01T00:00:00Z",
  apiKeyId: "key-1",
  apiKeyName: "alice",
  model: "gpt-5.1",
  requested: 200,
  used: 700,
  held: 200,
  maxValue: 1000,
  blockedBy: "held",
  neverFits: false,
  fit: "now",
  fitTime: null,
};

test("a refusal says what was asked, what was free, and what took the rest", () => {
  expect(refusalInWords("total_tokens", SAMPLE)).toBe(
    "Asked for 200, 100 free of 1,000: 700 used, 200 held by open requests; it would have fitted without the open ones.",
  );
  expect(refusalInWords("total_tokens", { ...SAMPLE, used: 900, held: 0, blockedBy: "used" })).toBe(
    "Asked for 200, 100 free of 1,000: 900 used.",
  );
});

test("what is larger than the whole limit says so, and a limit that was overrun has nothing free", () => {
  expect(refusalInWords("total_tokens", { ...SAMPLE, requested: 2000, neverFits: true })).toBe(
    "Asked for 2,000, more than the whole limit of 1,000.",
  );
  expect(refusalInWords("total_tokens", { ...SAMPLE, used: 1500 })).toContain("0 free of 1,000");
});

test("when it fits is said in words", () => {
  expect(fitInWords("never")).toContain("unless the limit is raised");
});
