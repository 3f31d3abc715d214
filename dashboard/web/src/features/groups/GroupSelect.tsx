import { Select } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { groupsQuery } from "@/features/groups/queries";
import { inTreeOrder, pathName } from "@/features/groups/tree";

type Props = {
  label: string;
  description?: string;
  placeholder?: string;
  /** A group's id; empty for none. */
  value?: string;
  onChange?: (groupId: string) => void;
  error?: ReactNode;
  /** Groups that cannot be chosen. */
  without?: ReadonlySet<string>;
};

/** Chooses one of the groups, or none. */
export function GroupSelect({ value = "", onChange, without, placeholder = "none", ...rest }: Props) {
  const groups = useQuery(groupsQuery(false));
  const data = inTreeOrder(groups.data ?? [])
    .filter(({ group }) => !without?.has(group.groupId))
    .map(({ group, path }) => ({ value: group.groupId, label: pathName(path) }));
  return (
    <Select
      {...rest}
      placeholder={placeholder}
      clearable
      searchable
      nothingFoundMessage="No such group"
      data={data}
      value={value || null}
      onChange={(chosen) => onChange?.(chosen ?? "")}
      error={rest.error ?? (groups.error ? `Groups could not be read: ${groups.error.message}` : null)}
    />
  );
}
