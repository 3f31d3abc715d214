"""Groups and their limits, as operators edit them. `quotad.store.edits` says how an edit binds."""

from __future__ import annotations

from dataclasses import replace

from uuid_utils.compat import uuid7

from quotad.administration import Author, Group, GroupDescription
from quotad.core.edit_validation import check_group_changes, check_group_draft
from quotad.core.groups import GROUP_DEPTH_MAX, GroupChanges, GroupDraft, check_place
from quotad.core.keys import Unset
from quotad.core.validation import check_id, check_text
from quotad.errors import GroupNotEmpty, ResourceNotFound
from quotad.store import statements_groups
from quotad.store.audit_log import Action, Change, ResourceKind, note
from quotad.store.configuration import describe_groups, groups_above
from quotad.store.connections import Connection, Connections
from quotad.store.edits import NAME_BYTES_MAX, check_etag, check_page_size, edit_tenant, new_etag, replace_limits
from quotad.values import LimitOwner


class Groups:
    """The groups of all tenants."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def create(self, request_id: str, tenant_id: str, draft: GroupDraft, author: Author = Author()) -> Group:
        """Make a group; a repeat with the same `request_id` changes nothing."""
        check_id("request_id", request_id)
        check_id("tenant_id", tenant_id)
        check_group_draft(draft)

        async def edit(connection: Connection) -> Group:
            found = await connection.fetchval(statements_groups.GROUP_BY_REQUEST, tenant_id, request_id)
            if found is not None:
                return await _read(connection, tenant_id, found)
            group_id = f"grp_{uuid7().hex}"
            await _check_parent(connection, tenant_id, group_id, draft.parent_group_id, levels=1)
            fields = draft.name, draft.parent_group_id or None, new_etag()
            await connection.execute(statements_groups.INSERT_GROUP, tenant_id, group_id, request_id, *fields)
            await replace_limits(connection, tenant_id, LimitOwner("", draft.name, group_id), draft.limits)
            group = await _read(connection, tenant_id, group_id)
            await note(connection, tenant_id, author, _change(Action.CREATE, None, group))
            return group

        return await edit_tenant(self._connections, tenant_id, edit)

    async def get(self, tenant_id: str, group_id: str) -> GroupDescription:
        """Read a group, deleted ones included, with the state of its limits; raises `ResourceNotFound`."""
        _check_ids(tenant_id, group_id)
        async with self._connections.acquire() as connection:
            found = await describe_groups(connection, tenant_id, [group_id])
        if not found:
            raise ResourceNotFound("this group is unknown")
        return found[0]

    async def list(
        self, tenant_id: str, *, page_size: int, page_token: str, name: str = ""
    ) -> tuple[tuple[GroupDescription, ...], str]:
        """Groups in the order they were made, and the token of the next page, empty on the last."""
        check_page_size(page_size)
        check_id("tenant_id", tenant_id)
        if page_token:
            check_id("page_token", page_token)
        check_text("name", name, NAME_BYTES_MAX)
        async with self._connections.acquire() as connection:
            rows = await connection.fetch(statements_groups.LIST_GROUPS, tenant_id, page_token, name, page_size + 1)
            ids = [row["group_id"] for row in rows]
            page = await describe_groups(connection, tenant_id, ids[:page_size])
        return page, ids[page_size - 1] if len(ids) > page_size else ""

    async def update(
        self, tenant_id: str, group_id: str, changes: GroupChanges, etag: str, author: Author = Author()
    ) -> Group:
        """Change what is not `UNSET`; a group moves with all that is below it.

        Raises `ResourceNotFound`, `GroupTreeInvalid` and, for a stale etag, `EtagMismatch`.
        """
        _check_ids(tenant_id, group_id)
        check_group_changes(changes)

        async def edit(connection: Connection) -> Group:
            group = await _editable(connection, tenant_id, group_id, etag)
            edited = replace(group, name=group.name if isinstance(changes.name, Unset) else changes.name)
            if not isinstance(changes.parent_group_id, Unset):
                levels = await _levels_below(connection, tenant_id, group_id)
                await _check_parent(connection, tenant_id, group_id, changes.parent_group_id, levels)
                edited = replace(edited, parent_group_id=changes.parent_group_id)
            fields = edited.name, edited.parent_group_id or None, new_etag()
            await connection.execute(statements_groups.UPDATE_GROUP, tenant_id, group_id, *fields)
            if not isinstance(changes.limits, Unset):
                await replace_limits(connection, tenant_id, LimitOwner("", edited.name, group_id), changes.limits)
            return await _noted(connection, author, Action.UPDATE, group)

        return await edit_tenant(self._connections, tenant_id, edit)

    async def delete(self, tenant_id: str, group_id: str, etag: str, author: Author = Author()) -> Group:
        """Delete a group that nothing is in, else raise `GroupNotEmpty`; again changes nothing."""
        _check_ids(tenant_id, group_id)

        async def edit(connection: Connection) -> Group:
            group = await _editable(connection, tenant_id, group_id, etag, deleted=True)
            if group.delete_time is not None:
                return group
            if await connection.fetchval(statements_groups.GROUP_IN_USE, tenant_id, group_id):
                raise GroupNotEmpty("keys or groups are still in this group: move or delete them first")
            await connection.execute(statements_groups.DELETE_GROUP, tenant_id, group_id, new_etag())
            return await _noted(connection, author, Action.DELETE, group)

        return await edit_tenant(self._connections, tenant_id, edit)


async def require_group(connection: Connection, tenant_id: str, group_id: str) -> None:
    """Raise `ResourceNotFound` unless keys and groups can be put into it; the empty id stands for none."""
    if group_id:
        group = await _read(connection, tenant_id, group_id)
        if group.delete_time is not None:
            raise ResourceNotFound("this group has been deleted")


async def _check_parent(
    connection: Connection, tenant_id: str, group_id: str, parent_group_id: str, levels: int
) -> None:
    if not parent_group_id:
        return
    await require_group(connection, tenant_id, parent_group_id)
    above = await groups_above(connection, tenant_id, [parent_group_id])
    check_place(group_id, [group.group_id for group in above[parent_group_id]], levels)


async def _levels_below(connection: Connection, tenant_id: str, group_id: str) -> int:
    levels: int = await connection.fetchval(statements_groups.LEVELS_BELOW, tenant_id, group_id, GROUP_DEPTH_MAX)
    return levels


def _check_ids(tenant_id: str, group_id: str) -> None:
    check_id("tenant_id", tenant_id)
    check_id("group_id", group_id)


async def _editable(
    connection: Connection, tenant_id: str, group_id: str, etag: str, *, deleted: bool = False
) -> Group:
    group = await _read(connection, tenant_id, group_id)
    if group.delete_time is not None and not deleted:
        raise ResourceNotFound("this group has been deleted")
    check_etag(etag, group.etag)
    return group


async def _noted(connection: Connection, author: Author, action: Action, before: Group) -> Group:
    """The group as it is after the edit, which is noted."""
    after = await _read(connection, before.tenant_id, before.group_id)
    await note(connection, before.tenant_id, author, _change(action, before, after))
    return after


def _change(action: Action, before: Group | None, after: Group) -> Change:
    return Change(action, ResourceKind.GROUP, after.group_id, before, after)


async def _read(connection: Connection, tenant_id: str, group_id: str) -> Group:
    found = await describe_groups(connection, tenant_id, [group_id])
    if not found:
        raise ResourceNotFound("this group is unknown")
    return found[0].group
