import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { api, body } from "@/api/client";
import type { Group, GroupChanges, NewGroup } from "@/api/schema.gen";
import { useStepUp } from "@/features/step-up/StepUp";

const QUERY_KEY = ["groups"];
/** A key shows its groups' names and limits. */
const KEYS_QUERY_KEY = ["api-keys"];

/** All groups with the state of their limits, in the order they were made. */
export function groupsQuery(interval: number | false) {
  return queryOptions({
    queryKey: QUERY_KEY,
    refetchInterval: interval,
    queryFn: async ({ signal }) => readAllPages(signal),
  });
}

async function readAllPages(signal: AbortSignal): Promise<Group[]> {
  const groups: Group[] = [];
  let pageToken = "";
  do {
    const page = body(await api.GET("/api/groups", { params: { query: { pageToken } }, signal }));
    groups.push(...page.groups);
    pageToken = page.nextPageToken;
  } while (pageToken);
  return groups;
}

export function useCreateGroup() {
  return useGroupChange(async (draft: NewGroup) => body(await api.POST("/api/groups", { body: draft })));
}

/** A change carries the version that it was made from, so that it never overwrites somebody else's. */
export function useUpdateGroup() {
  return useGroupChange(async ({ group, changes }: { group: Group; changes: GroupChanges }) =>
    body(
      await api.PATCH("/api/groups/{groupId}", {
        params: { path: { groupId: group.groupId } },
        body: { etag: group.etag, ...changes },
      }),
    ),
  );
}

export function useDeleteGroup() {
  return useGroupChange(async ({ groupId, etag }: Group) => {
    await api.DELETE("/api/groups/{groupId}", { params: { path: { groupId }, query: { etag } } });
  });
}

function useGroupChange<Input, Output>(change: (input: Input) => Promise<Output>) {
  const queryClient = useQueryClient();
  const stepUp = useStepUp();
  return useMutation({
    mutationFn: (input: Input) => stepUp(() => change(input)),
    onSettled: () =>
      Promise.all([
        queryClient.invalidateQueries({ queryKey: QUERY_KEY }),
        queryClient.invalidateQueries({ queryKey: KEYS_QUERY_KEY }),
      ]),
  });
}
