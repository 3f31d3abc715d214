"""What an operator asks of a group, and which trees are allowed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quotad.errors import GroupTreeInvalid
from quotad.values import UNSET, Limit, Unset

GROUP_DEPTH_MAX = 4
"""Levels of a tree: each request takes room in every level above its key."""


@dataclass(frozen=True, slots=True)
class GroupDraft:
    """A group to be made."""

    name: str
    parent_group_id: str = ""
    limits: tuple[Limit, ...] = ()


@dataclass(frozen=True, slots=True)
class GroupChanges:
    """An edit: what is not `UNSET` is set; `limits` replace the whole set."""

    name: str | Unset = UNSET
    parent_group_id: str | Unset = UNSET
    limits: tuple[Limit, ...] | Unset = UNSET


def check_place(group_id: str, above: Sequence[str], levels: int) -> None:
    """Raise `GroupTreeInvalid` where a group cannot stand below the groups `above`, its parent and that one's parents.

    `levels` counts the group and what is below it: it moves with all of that.
    """
    if group_id in above:
        raise GroupTreeInvalid("a group cannot be below itself")
    if len(above) + levels > GROUP_DEPTH_MAX:
        raise GroupTreeInvalid(f"a tree of groups has at most {GROUP_DEPTH_MAX} levels")
