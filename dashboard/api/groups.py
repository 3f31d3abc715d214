"""Groups above keys, with their limits and usage: quotad's, through its admin API."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Self

from fastapi import APIRouter, Path, Query, status
from pydantic import Field, model_validator

from dashboard.api.limits import LimitStatus, NewLimit, limit_answer
from dashboard.api.schema import Answer, FilterText, Input, Moment
from dashboard.api.usage import Usage, UsageAsked, usage_of_keys
from dashboard.services import Admin
from quotad.client.admin import AdminClient
from quotad.client.types import UNSET, GroupDescription
from quotad.client.types import Group as GroupValue

router = APIRouter(prefix="/api/groups", tags=["groups"])

PAGE_SIZE_MAX = 1000
GROUPS_MAX = 10_000
"""Groups looked through for those below one; a ledger with more says less of its groups' usage."""
KEYS_MAX = 1_000
"""Keys whose usage is summed up for a group."""

GroupId = Annotated[FilterText, Path(alias="groupId")]


class Group(Answer):
    """A node above keys: its limits bind every key below it, all together."""

    group_id: str
    name: str
    parent_group_id: str
    """Empty at the root of a tree."""
    create_time: Moment
    update_time: Moment
    delete_time: Moment | None
    etag: str
    """Changes with every edit; give it back to refuse an edit made on stale data."""
    limits: list[LimitStatus]
    """Its own, without those of the groups above it."""


class Groups(Answer):
    """Some groups, oldest first; `parentGroupId` makes a tree of them."""

    groups: list[Group]
    next_page_token: str
    """Empty on the last page."""
    server_time: Moment | None
    """The ledger's clock, by which windows reset; null where there is no group."""


class NewGroup(Input):
    """A group to be made."""

    name: str
    parent_group_id: FilterText = Field(default="", description="Empty makes the root of a tree.")
    limits: list[NewLimit] = Field(default=[])


class GroupChanges(Input):
    """What to change. A field that is left out, or null, stays."""

    etag: FilterText = Field(default="", description="Refuses the edit when the group was changed since it was read.")
    name: str | None = None
    parent_group_id: FilterText | None = Field(
        default=None, description="Moves the group with all below it; empty makes it a root."
    )
    limits: list[NewLimit] | None = Field(default=None, description="Replaces the set of limits.")

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if all(value is None for value in (self.name, self.parent_group_id, self.limits)):
            raise ValueError("name at least one field to change")
        return self


@router.get("")
async def list_groups(
    admin: Admin,
    page_size: Annotated[int, Query(alias="pageSize", ge=1, le=PAGE_SIZE_MAX)] = 100,
    page_token: Annotated[FilterText, Query(alias="pageToken")] = "",
) -> Groups:
    """List the groups that are not deleted, with the state of their limits."""
    page = await admin.list_groups(page_size=page_size, page_token=page_token)
    return Groups(
        groups=[group_answer(group) for group in page.groups],
        next_page_token=page.next_page_token,
        server_time=page.groups[0].server_time if page.groups else None,
    )


@router.post("", status_code=status.HTTP_201_CREATED)
async def create_group(body: NewGroup, admin: Admin) -> Group:
    """Make a group, at the root or below another one."""
    group = await admin.create_group(
        body.name, parent_group_id=body.parent_group_id, limits=[limit.value() for limit in body.limits]
    )
    return group_answer(await admin.get_group(group.group_id))


@router.get("/{groupId}")
async def get_group(group_id: GroupId, admin: Admin) -> Group:
    """Read one group with the state of its limits."""
    return group_answer(await admin.get_group(group_id))


@router.patch("/{groupId}")
async def update_group(group_id: GroupId, body: GroupChanges, admin: Admin) -> Group:
    """Change or move a group; limits that stay, or come back, keep their counters."""
    await admin.update_group(
        group_id,
        etag=body.etag,
        name=UNSET if body.name is None else body.name,
        parent_group_id=UNSET if body.parent_group_id is None else body.parent_group_id,
        limits=UNSET if body.limits is None else [limit.value() for limit in body.limits],
    )
    return group_answer(await admin.get_group(group_id))


@router.delete("/{groupId}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_group(group_id: GroupId, admin: Admin, etag: FilterText = "") -> None:
    """Delete a group that no key and no group is in."""
    await admin.delete_group(group_id, etag)


@router.get("/{groupId}/usage")
async def get_group_usage(group_id: GroupId, query: UsageAsked, admin: Admin) -> Usage:
    """What the keys that are below a group now were charged over time and by model."""
    await admin.get_group(group_id)
    groups = await _all_groups(admin)
    api_key_ids: list[str] = []
    for below in groups_below(group_id, groups):
        api_key_ids.extend(await _keys_of(admin, below))
    usage = await usage_of_keys(admin, api_key_ids[:KEYS_MAX], query, datetime.now(UTC))
    is_complete = usage.is_complete and len(api_key_ids) <= KEYS_MAX and len(groups) < GROUPS_MAX
    return usage.model_copy(update={"is_complete": is_complete})


def groups_below(group_id: str, groups: Sequence[GroupValue]) -> list[str]:
    """The group and all that are below it, at any depth."""
    children: dict[str, list[str]] = {}
    for group in groups:
        children.setdefault(group.parent_group_id, []).append(group.group_id)
    found = [group_id]
    for one in found:  # grows while it is walked
        found.extend(children.get(one, ()))
    return found


def group_answer(description: GroupDescription) -> Group:
    group = description.group
    return Group(
        group_id=group.group_id,
        name=group.name,
        parent_group_id=group.parent_group_id,
        create_time=group.create_time,
        update_time=group.update_time,
        delete_time=group.delete_time,
        etag=group.etag,
        limits=[limit_answer(status) for status in description.limits],
    )


async def _all_groups(admin: AdminClient) -> list[GroupValue]:
    groups: list[GroupValue] = []
    page_token = ""
    while len(groups) < GROUPS_MAX:
        page = await admin.list_groups(page_size=PAGE_SIZE_MAX, page_token=page_token)
        groups.extend(described.group for described in page.groups)
        page_token = page.next_page_token
        if not page_token:
            break
    return groups


async def _keys_of(admin: AdminClient, group_id: str) -> list[str]:
    """The keys of exactly this group, one more than are summed up at most."""
    page_token = ""
    found: list[str] = []
    while len(found) <= KEYS_MAX:
        page = await admin.list_api_keys(group_id=group_id, page_size=PAGE_SIZE_MAX, page_token=page_token)
        found.extend(key.api_key.api_key_id for key in page.keys)
        page_token = page.next_page_token
        if not page_token:
            break
    return found
