import { expect, test } from "vitest";
import { amountsInWords } from "@/lib/amounts";

test("amounts are told in one order, without those that are always one", () => {
  expect(amountsInWords({ requests: 1, input_tokens: 5, pages: 2, total_tokens: 1200, concurrency: 1 })).toBe(
    "1,200 tokens · 5 in · 2 pages",
  );
  expect(amountsInWords({ requests: 1 })).toBe("");
});

test("cost is told in dollars", () => {
  expect(amountsInWords({ cost_microusd: 1_250_000 })).toBe("$1.25");
});
