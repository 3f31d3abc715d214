import type { Group } from "@/api/schema.gen";

type Node = Pick<Group, "groupId" | "name" | "parentGroupId">;

export type Placed<One extends Node> = {
  group: One;
  /** 0 at the root. */
  depth: number;
  /** Names from the root down to the group itself. */
  path: string[];
};

/** Groups as they are listed: each right below its parent, siblings by name. */
export function inTreeOrder<One extends Node>(groups: readonly One[]): Placed<One>[] {
  const known = new Set(groups.map(({ groupId }) => groupId));
  const children = new Map<string, One[]>();
  for (const group of groups) {
    const parent = known.has(group.parentGroupId) ? group.parentGroupId : "";
    children.set(parent, [...(children.get(parent) ?? []), group]);
  }
  const placed = (parent: string, path: string[]): Placed<One>[] =>
    (children.get(parent) ?? [])
      .toSorted((one, other) => one.name.localeCompare(other.name))
      .flatMap((group) => {
        const own = [...path, group.name];
        return [{ group, depth: path.length, path: own }, ...placed(group.groupId, own)];
      });
  return placed("", []);
}

/** The group and all that are below it. */
export function below(groups: readonly Node[], groupId: string): Set<string> {
  const found = new Set([groupId]);
  for (const one of found) {
    for (const group of groups) {
      if (group.parentGroupId === one) {
        found.add(group.groupId);
      }
    }
  }
  return found;
}

/** `company / team` */
export function pathName(path: readonly string[]): string {
  return path.join(" / ");
}
