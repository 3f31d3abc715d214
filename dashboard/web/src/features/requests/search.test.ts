import { expect, test } from "vitest";
import { facetFilters, listFilters, requestSearch, withoutDefaults } from "@/features/requests/search";
import { parseSearchParams, stringifySearchParams } from "@/lib/searchParams";

const NOW = new Date("2026-03-01T12:00:00Z");

function read(address: string) {
  return requestSearch.parse(parseSearchParams(address));
}

test("the address alone restores every filter", () => {
  const address = "?search=req_1&range=1h&apiKeyId=k1&apiKeyId=k2&status=ok&page=3&size=100";
  expect(stringifySearchParams(withoutDefaults(read(address)))).toBe(address);
});

test("an empty address means everything, and stays empty", () => {
  expect(stringifySearchParams(withoutDefaults(read("")))).toBe("");
});

test("what cannot be read falls back to its default", () => {
  const search = read("?range=soon&since=yesterday&page=-4&size=7&model=");
  expect(search).toMatchObject({ range: undefined, since: undefined, page: 1, size: 50, model: [] });
});

test("the status narrows the list and never the options (D6)", () => {
  const search = read("?status=error&model=gpt-5");
  expect(listFilters(search, NOW)).toMatchObject({ status: ["error"], model: ["gpt-5"] });
  expect(facetFilters(search, NOW)).not.toHaveProperty("status");
  expect(facetFilters(search, NOW)).toMatchObject({ model: ["gpt-5"] });
});

test("a relative range ends now and wins over fixed times", () => {
  const search = read("?range=1h&since=2020-01-01T00:00:00Z");
  expect(listFilters(search, NOW)).toMatchObject({ since: "2026-03-01T11:00:00.000Z" });
});

test("a word that is no status is no filter", () => {
  expect(read("?status=fine&status=ok").status).toEqual(["ok"]);
});

test("a value given twice is selected once", () => {
  expect(read("?status=ok&status=ok").status).toEqual(["ok"]);
});
