import { expect, test } from "vitest";
import { parseSearchParams, stringifySearchParams } from "@/lib/searchParams";

test("a list survives the way to the address and back", () => {
  const values = { model: ["gpt-5*", "1.0"], search: "a b&c=d" };
  expect(parseSearchParams(stringifySearchParams(values))).toEqual(values);
});

test("a value that looks like a number stays a string", () => {
  expect(parseSearchParams("?model=0010")).toEqual({ model: "0010" });
});

test("what is empty leaves no trace", () => {
  expect(stringifySearchParams({ search: "", model: [], page: undefined })).toBe("");
});
