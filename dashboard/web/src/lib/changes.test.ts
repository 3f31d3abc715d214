import { expect, test } from "vitest";
import { concerned, readKinds } from "@/lib/changes";

test("a change concerns the queries that show it, each once", () => {
  expect([...concerned(["reservations", "refusals"])]).toEqual(["reservations", "overview", "refusals"]);
});

test("a kind that is not known concerns nothing", () => {
  expect(concerned(["weather"]).size).toBe(0);
});

test("what cannot be read names no kinds", () => {
  expect(readKinds('{"kinds":["limits",7]}')).toEqual(["limits"]);
  for (const data of ["", "{", "null", "[]", '{"kinds":"limits"}']) {
    expect(readKinds(data)).toEqual([]);
  }
});
