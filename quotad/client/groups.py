"""Groups and their limits, as an operator's tools edit them."""

from __future__ import annotations

from collections.abc import Iterable

import uuid_utils
from google.protobuf.field_mask_pb2 import FieldMask

from protos.quota.v1 import quota_pb2 as pb
from quotad.administration import Group, GroupDescription
from quotad.client.channel import Metadata, building
from quotad.client.connection import Connection
from quotad.client.types import GroupPage
from quotad.values import DEFAULT_TENANT, UNSET, Limit, Unset
from quotad.wire.groups import read_group, read_group_description
from quotad.wire.limits import limit_message


class GroupAdmin:
    """A part of `AdminClient`."""

    _connection: Connection
    _metadata: Metadata

    async def create_group(
        self,
        name: str,
        *,
        parent_group_id: str = "",
        limits: Iterable[Limit] = (),
        tenant_id: str = DEFAULT_TENANT,
        request_id: str | None = None,
    ) -> Group:
        """Make a group, at the root or below another one; raises `GroupTreeInvalid` where that is too deep."""
        with building():
            request = pb.CreateGroupRequest(
                request_id=request_id or str(uuid_utils.uuid7()),
                tenant_id=tenant_id,
                group=pb.Group(
                    name=name, parent_group_id=parent_group_id, limits=[limit_message(limit) for limit in limits]
                ),
            )
        return await self._connection.call(
            lambda stubs: stubs.admin.CreateGroup,
            request,
            lambda response: read_group(response.group, "group"),
            metadata=self._metadata,
        )

    async def get_group(self, group_id: str, tenant_id: str = DEFAULT_TENANT) -> GroupDescription:
        """A group with the state of its own limits."""
        with building():
            request = pb.GetGroupRequest(tenant_id=tenant_id, group_id=group_id)
        return await self._connection.call(
            lambda stubs: stubs.admin.GetGroup, request, read_group_description, metadata=self._metadata
        )

    async def list_groups(
        self, tenant_id: str = DEFAULT_TENANT, name: str = "", page_size: int = 100, page_token: str = ""
    ) -> GroupPage:
        """A page of groups, oldest first; with a `name`, only the groups of exactly that name."""
        with building():
            request = pb.ListGroupsRequest(tenant_id=tenant_id, page_size=page_size, page_token=page_token, name=name)
        return await self._connection.call(
            lambda stubs: stubs.admin.ListGroups, request, _read_page, metadata=self._metadata
        )

    async def update_group(
        self,
        group_id: str,
        *,
        tenant_id: str = DEFAULT_TENANT,
        etag: str = "",
        name: str | Unset = UNSET,
        parent_group_id: str | Unset = UNSET,
        limits: Iterable[Limit] | Unset = UNSET,
    ) -> Group:
        """Change what is given; a `parent_group_id` moves the group with all below it, the empty one to the root."""
        with building():
            fields = {
                "name": name,
                "parent_group_id": parent_group_id,
                "limits": limits if isinstance(limits, Unset) else [limit_message(limit) for limit in limits],
            }
            given = {field: value for field, value in fields.items() if value is not UNSET}
            request = pb.UpdateGroupRequest(
                tenant_id=tenant_id,
                group=pb.Group(group_id=group_id, etag=etag, **given),  # type: ignore[arg-type]
                update_mask=FieldMask(paths=list(given)),
            )
        return await self._connection.call(
            lambda stubs: stubs.admin.UpdateGroup,
            request,
            lambda response: read_group(response.group, "group"),
            metadata=self._metadata,
        )

    async def delete_group(self, group_id: str, etag: str = "", tenant_id: str = DEFAULT_TENANT) -> Group:
        """Delete a group that no key and no group is in, else raise `GroupNotEmpty`."""
        with building():
            request = pb.DeleteGroupRequest(tenant_id=tenant_id, group_id=group_id, etag=etag)
        return await self._connection.call(
            lambda stubs: stubs.admin.DeleteGroup,
            request,
            lambda response: read_group(response.group, "group"),
            metadata=self._metadata,
        )


def _read_page(response: pb.ListGroupsResponse) -> GroupPage:
    groups = tuple(read_group_description(item, f"groups[{n}]") for n, item in enumerate(response.groups))
    return GroupPage(groups, response.next_page_token)
