import { expect, test } from "vitest";
import { barsOf, metricsOf, modelsOf } from "@/features/usage/series";

const USAGE = {
  since: "2026-05-01T10:20:00Z",
  until: "2026-05-01T13:20:00Z",
  stepSeconds: 3600,
  isComplete: true,
  amounts: [
    { time: "2026-05-01T11:00:00Z", metric: "total_tokens", amount: 5 },
    { time: "2026-05-01T11:00:00Z", metric: "requests", amount: 1 },
  ],
  models: [
    { model: "a", metric: "requests", amount: 1 },
    { model: "a", metric: "total_tokens", amount: 2 },
    { model: "b", metric: "total_tokens", amount: 3 },
    { model: "b", metric: "audio_seconds", amount: 3 },
  ],
};

test("there is a bar for every hour that the time touches", () => {
  const bars = barsOf(USAGE, "total_tokens");
  expect(bars.map(({ time, amount }) => [time.getUTCHours(), amount])).toEqual([
    [10, 0],
    [11, 5],
    [12, 0],
    [13, 0],
  ]);
});

test("tokens come first among what was counted", () => {
  expect(metricsOf(USAGE)).toEqual(["total_tokens", "requests", "audio_seconds"]);
});

test("the model that was charged most comes first", () => {
  expect(modelsOf(USAGE, "total_tokens").map(({ model }) => model)).toEqual(["b", "a"]);
});
