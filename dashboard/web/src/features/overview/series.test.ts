import { expect, test } from "vitest";
import { percentWords, pointsOf } from "@/features/overview/series";

const SPAN = {
  time: "2026-05-01T00:01:00Z",
  requestCount: 8,
  refusedCount: 2,
  errorCount: 1,
  cancelledCount: 1,
  inputTokens: 50,
  cachedInputTokens: 0,
  outputTokens: 5,
  reasoningTokens: 0,
  totalTokens: 55,
  costMicrousd: 1_500_000,
};

test("every span of the range is drawn, those without requests as nothing", () => {
  const points = pointsOf({
    points: [SPAN],
    since: "2026-05-01T00:00:30Z",
    until: "2026-05-01T00:03:00Z",
    spanSeconds: 60,
  });
  expect(points.map(({ time, ok }) => [new Date(time).toISOString().slice(14, 19), ok])).toEqual([
    ["00:00", 0],
    ["01:00", 4],
    ["02:00", 0],
  ]);
  expect(points[1]).toMatchObject({
    refused: 2,
    failed: 1,
    dollars: 1.5,
    refusedPercent: 25,
    failedPercent: 12.5,
  });
  expect(points[0]?.refusedPercent).toBeNull();
});

test("a share of nothing is no number", () => {
  expect(percentWords(0, 0)).toBe("–");
  expect(percentWords(1, 3)).toBe("33.3 %");
});
