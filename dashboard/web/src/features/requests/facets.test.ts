import { expect, test } from "vitest";
import { toggle, uniteOptions } from "@/features/requests/facets";

const OFFERED = [
  { id: "a", name: "Account A" },
  { id: "b", name: "Account B" },
];

test("a selected value that is no longer offered stays in the menu as stale (D4)", () => {
  expect(uniteOptions(OFFERED, ["b", "gone"])).toEqual([
    { value: "gone", label: "gone", stale: true },
    { value: "a", label: "Account A", stale: false },
    { value: "b", label: "Account B", stale: false },
  ]);
});

test("nothing is stale before the options are known", () => {
  expect(uniteOptions(undefined, ["a"])).toEqual([{ value: "a", label: "a", stale: false }]);
});

test("a stale value keeps the name that it was seen with", () => {
  expect(uniteOptions([], ["a"], new Map([["a", "Account A"]]))[0]?.label).toBe("Account A");
});

test("stale and offered values toggle independently (D5)", () => {
  expect(toggle(["gone", "a"], "gone")).toEqual(["a"]);
  expect(toggle(["gone"], "a")).toEqual(["gone", "a"]);
});
