import { type UseFormReturnType, useForm } from "@mantine/form";
import type { Group, NewGroup } from "@/api/schema.gen";
import { nameProblem, problemAt } from "@/features/keys/keyForm";
import { type LimitFields, limitDraftOf, limitFieldsOf } from "@/features/keys/limitFields";

export type GroupFields = { name: string; parentGroupId: string; limits: LimitFields[] };
export type GroupForm = UseFormReturnType<GroupFields>;

/** The form of a group: a new one below another or none, or one that is there. */
export function useGroupForm(initialValues: GroupFields): GroupForm {
  return useForm<GroupFields>({
    initialValues,
    validate: {
      name: nameProblem,
      limits: { id: (_, values, path) => problemAt(values.limits, path) },
    },
  });
}

export function newGroupFields(parentGroupId: string): GroupFields {
  return { name: "", parentGroupId, limits: [] };
}

export function groupFieldsOf({ name, parentGroupId, limits }: Group): GroupFields {
  return { name, parentGroupId, limits: limits.map(limitFieldsOf) };
}

export function groupDraftOf({ name, parentGroupId, limits }: GroupFields): Required<NewGroup> {
  return { name: name.trim(), parentGroupId, limits: limits.map(limitDraftOf) };
}
