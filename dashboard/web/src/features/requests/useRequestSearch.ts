import { getRouteApi } from "@tanstack/react-router";
import { useCallback } from "react";
import type { RequestSearch } from "@/features/requests/search";

const route = getRouteApi("/signed-in/requests");

/**
 * The filters, which live in the address and nowhere else.
 *
 * A change of any filter goes back to the first page; `replace` keeps typing out of the history.
 */
export function useRequestSearch() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const change = useCallback(
    (changes: Partial<RequestSearch>, { replace = false } = {}) =>
      void navigate({ search: (before) => ({ ...before, page: 1, ...changes }), replace }),
    [navigate],
  );
  return { search, change };
}
