import { expect, test } from "vitest";
import { below, inTreeOrder, pathName } from "@/features/groups/tree";

const GROUPS = [
  { groupId: "3", name: "beta", parentGroupId: "1" },
  { groupId: "1", name: "company", parentGroupId: "" },
  { groupId: "2", name: "alpha", parentGroupId: "1" },
  { groupId: "4", name: "inner", parentGroupId: "3" },
  { groupId: "5", name: "another", parentGroupId: "" },
];

test("each group stands below its parent, siblings by name", () => {
  expect(inTreeOrder(GROUPS).map(({ path, depth }) => [pathName(path), depth])).toEqual([
    ["another", 0],
    ["company", 0],
    ["company / alpha", 1],
    ["company / beta", 1],
    ["company / beta / inner", 2],
  ]);
});

test("a group whose parent is not there is shown all the same", () => {
  const orphan = { groupId: "9", name: "orphan", parentGroupId: "gone" };
  expect(inTreeOrder([orphan]).map(({ depth }) => depth)).toEqual([0]);
});

test("below a group is itself and everything that hangs on it", () => {
  expect([...below(GROUPS, "1")].sort()).toEqual(["1", "2", "3", "4"]);
  expect([...below(GROUPS, "5")]).toEqual(["5"]);
});
