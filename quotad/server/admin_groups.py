"""The control plane's calls about groups."""

from __future__ import annotations

from protos.quota.v1 import quota_pb2 as pb
from quotad.server.admin_calls import Context, allowed_tenant, author_of, page_size_of
from quotad.server.edits import group_changes, group_draft
from quotad.store import Store
from quotad.wire.groups import group_description_message, group_message


class GroupCalls:
    """A part of `AdminServicer`."""

    _store: Store

    async def CreateGroup(self, request: pb.CreateGroupRequest, context: Context) -> pb.CreateGroupResponse:
        tenant_id, draft = allowed_tenant(request.tenant_id), group_draft(request.group)
        group = await self._store.groups.create(request.request_id, tenant_id, draft, author_of(context))
        return pb.CreateGroupResponse(group=group_message(group))

    async def GetGroup(self, request: pb.GetGroupRequest, context: Context) -> pb.GetGroupResponse:
        description = await self._store.groups.get(allowed_tenant(request.tenant_id), request.group_id)
        return group_description_message(pb.GetGroupResponse, description)

    async def ListGroups(self, request: pb.ListGroupsRequest, context: Context) -> pb.ListGroupsResponse:
        found, next_page_token = await self._store.groups.list(
            allowed_tenant(request.tenant_id),
            page_size=page_size_of(request.page_size),
            page_token=request.page_token,
            name=request.name,
        )
        groups = [group_description_message(pb.GroupWithLimits, description) for description in found]
        return pb.ListGroupsResponse(groups=groups, next_page_token=next_page_token)

    async def UpdateGroup(self, request: pb.UpdateGroupRequest, context: Context) -> pb.UpdateGroupResponse:
        tenant_id, changes = allowed_tenant(request.tenant_id), group_changes(request)
        group_id, etag = request.group.group_id, request.group.etag
        group = await self._store.groups.update(tenant_id, group_id, changes, etag, author_of(context))
        return pb.UpdateGroupResponse(group=group_message(group))

    async def DeleteGroup(self, request: pb.DeleteGroupRequest, context: Context) -> pb.DeleteGroupResponse:
        tenant_id = allowed_tenant(request.tenant_id)
        group = await self._store.groups.delete(tenant_id, request.group_id, request.etag, author_of(context))
        return pb.DeleteGroupResponse(group=group_message(group))
