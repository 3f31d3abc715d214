import { z } from "zod";
import type { RequestLog } from "@/api/schema.gen";
import { RANGE_NAMES, RANGES } from "@/lib/timeRange";

type Status = RequestLog["status"];

/** What can become of a request; another word in the address is no filter. */
export const STATUSES = [
  "ok",
  "rate_limit",
  "quota",
  "error",
  "cancelled",
] as const satisfies readonly Status[];

function isStatus(word: string): word is Status {
  return (STATUSES as readonly string[]).includes(word);
}

export const PAGE_SIZES = [25, 50, 100, 200] as const;
const PAGE_SIZE = 50;

/** The service's own bounds: longer texts and further pages are refused. */
const TEXT_CHARACTERS_MAX = 256;
const PAGE_MAX = 1_000_000;

const text = z.string().max(TEXT_CHARACTERS_MAX);
const list = z
  .union([text, z.array(text)])
  .transform((value) => [...new Set([value].flat().filter(Boolean))])
  .default([])
  .catch([]);
const instant = z.iso.datetime({ offset: true }).optional().catch(undefined);

/**
 * The Requests page's state, all of it, as it stands in the address. What cannot be read falls back to its default;
 * lists keep whatever they were given, because a value that is no option any more is shown as stale.
 */
export const requestSearch = z.object({
  search: text.trim().optional().catch(undefined),
  range: z.enum(RANGE_NAMES).optional().catch(undefined),
  since: instant,
  until: instant,
  accountId: list,
  apiKeyId: list,
  model: list,
  status: list.transform((words) => words.filter(isStatus)),
  page: z.coerce.number().int().min(1).max(PAGE_MAX).default(1).catch(1),
  size: z.coerce
    .number()
    .refine((size) => (PAGE_SIZES as readonly number[]).includes(size))
    .default(PAGE_SIZE)
    .catch(PAGE_SIZE),
});

export type RequestSearch = z.output<typeof requestSearch>;

/** What narrows the options of the facets. */
export type FacetFilters = {
  search?: string;
  since?: string;
  until?: string;
  accountId: string[];
  apiKeyId: string[];
  model: string[];
};

/** What narrows the list: a type of its own, because the status never narrows the options. */
export type ListFilters = FacetFilters & { status: Status[] };

export const FACETS = ["accountId", "apiKeyId", "model", "status"] as const;
export type Facet = (typeof FACETS)[number];

export function facetFilters(search: RequestSearch, now: Date): FacetFilters {
  const { accountId, apiKeyId, model } = search;
  return { search: search.search || undefined, ...timeRange(search, now), accountId, apiKeyId, model };
}

export function listFilters(search: RequestSearch, now: Date): ListFilters {
  return { ...facetFilters(search, now), status: search.status };
}

export function hasFilters(search: RequestSearch): boolean {
  const { range, since, until } = search;
  return (
    Boolean(search.search || range || since || until) || FACETS.some((facet) => search[facet].length > 0)
  );
}

/** The same address without what is at its default. */
export function withoutDefaults({ page, size, ...rest }: RequestSearch) {
  return { ...rest, page: page === 1 ? undefined : page, size: size === PAGE_SIZE ? undefined : size };
}

/** What takes every filter away when it is laid over a search. */
export const NO_FILTERS = {
  search: undefined,
  range: undefined,
  since: undefined,
  until: undefined,
  accountId: [],
  apiKeyId: [],
  model: [],
  status: [],
} satisfies Partial<RequestSearch>;

function timeRange({ range, since, until }: RequestSearch, now: Date): { since?: string; until?: string } {
  if (range) {
    return { since: new Date(now.getTime() - RANGES[range].seconds * 1000).toISOString() };
  }
  return { since, until };
}
