import { useRef } from "react";
import type { RequestLog, RequestLogOptions } from "@/api/schema.gen";
import { type FacetOption, type Offered, uniteOptions } from "@/features/requests/facets";
import type { Facet, RequestSearch } from "@/features/requests/search";
import { statusLook } from "@/features/requests/status";

/** What each facet's menu lists: the service's options united with what the address selects. */
export function useFacetOptions(
  options: RequestLogOptions | undefined,
  search: RequestSearch,
): Record<Facet, FacetOption[]> {
  const accounts = useNames(options?.accounts);
  const apiKeys = useNames(options?.apiKeys);
  const statuses = new Map(search.status.map((status) => [status, statusLook(status).label]));
  return {
    status: uniteOptions(options?.statuses.map(statusOption), search.status, statuses),
    apiKeyId: uniteOptions(options?.apiKeys, search.apiKeyId, apiKeys),
    model: uniteOptions(options?.models.map(plainOption), search.model),
    accountId: uniteOptions(options?.accounts, search.accountId, accounts),
  };
}

/** The names seen so far, so that a value keeps its name when it is offered no more. */
function useNames(offered: Offered | undefined): ReadonlyMap<string, string> {
  const names = useRef(new Map<string, string>());
  for (const { id, name } of offered ?? []) {
    names.current.set(id, name);
  }
  return names.current;
}

function plainOption(word: string) {
  return { id: word, name: word };
}

function statusOption(status: RequestLog["status"]) {
  return { id: status, name: statusLook(status).label };
}
