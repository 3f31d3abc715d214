import { expect, test } from "vitest";
import { readDenial } from "@/features/requests/denial";

const VIOLATION = {
  limit_id: "l1",
  metric: "total_tokens",
  window: "day",
  model_pattern: "",
  max_value: 100,
  used: 90,
  held: 5,
  requested: 40,
  available: 5,
  reset_time: "2026-03-02T00:00:00Z",
  blocked_by: "used",
  never_fits: false,
};

test("a denial is read in the spelling that the ledger uses", () => {
  const read = readDenial({ limits: [VIOLATION], retry_after_seconds: 1.5 });
  expect(read?.retryAfterSeconds).toBe(1.5);
  expect(read?.limits[0]).toMatchObject({
    limitId: "l1",
    maxValue: 100,
    blockedBy: "used",
    neverFits: false,
  });
});

test("a limit that never resets, and no time to come back, are no obstacle", () => {
  const { reset_time: _, ...lifetime } = VIOLATION;
  expect(readDenial({ limits: [{ ...lifetime, window: "lifetime" }] })).toMatchObject({
    retryAfterSeconds: null,
  });
});

test.each([null, "no", {}, { limits: [] }, { limits: [{ metric: "requests" }] }])(
  "%o is no denial",
  (written) => {
    expect(readDenial(written)).toBeNull();
  },
);
