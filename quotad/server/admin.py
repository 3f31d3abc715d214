"""The control plane. Every edit is noted in the audit log with the token's name and the actor that the caller gave."""

from __future__ import annotations

from datetime import timedelta

from protos.quota.v1 import quota_pb2 as pb
from protos.quota.v1 import quota_pb2_grpc as rpc
from quotad.server.admin_calls import Context, allowed_tenant, author_of, page_size_of
from quotad.server.admin_groups import GroupCalls
from quotad.server.admin_records import RecordCalls
from quotad.server.admin_tokens import TokenCalls
from quotad.server.edits import key_changes, key_draft
from quotad.server.tokens import TokenBook
from quotad.store import Store
from quotad.wire.keys import api_key_message, description_message
from quotad.wire.scalars import read_duration


class AdminServicer(GroupCalls, TokenCalls, RecordCalls, rpc.AdminServiceServicer):
    """`quota.v1.AdminService` on one store."""

    def __init__(self, store: Store, tokens: TokenBook) -> None:
        self._store = store
        self._tokens = tokens

    async def CreateApiKey(self, request: pb.CreateApiKeyRequest, context: Context) -> pb.CreateApiKeyResponse:
        tenant_id, draft = allowed_tenant(request.tenant_id), key_draft(request.api_key)
        key, secret = await self._store.keys.create(request.request_id, tenant_id, draft, author_of(context))
        return pb.CreateApiKeyResponse(api_key=api_key_message(key), secret=secret or "")

    async def GetApiKey(self, request: pb.GetApiKeyRequest, context: Context) -> pb.GetApiKeyResponse:
        description = await self._store.keys.get(allowed_tenant(request.tenant_id), request.api_key_id)
        return description_message(pb.GetApiKeyResponse, description)

    async def ListApiKeys(self, request: pb.ListApiKeysRequest, context: Context) -> pb.ListApiKeysResponse:
        found, next_page_token = await self._store.keys.list(
            allowed_tenant(request.tenant_id),
            page_size=page_size_of(request.page_size),
            page_token=request.page_token,
            name=request.name,
            group_id=request.group_id,
        )
        keys = [description_message(pb.ApiKeyWithLimits, description) for description in found]
        return pb.ListApiKeysResponse(api_keys=keys, next_page_token=next_page_token)

    async def UpdateApiKey(self, request: pb.UpdateApiKeyRequest, context: Context) -> pb.UpdateApiKeyResponse:
        tenant_id, changes = allowed_tenant(request.tenant_id), key_changes(request)
        api_key_id, etag = request.api_key.api_key_id, request.api_key.etag
        key = await self._store.keys.update(tenant_id, api_key_id, changes, etag, author_of(context))
        return pb.UpdateApiKeyResponse(api_key=api_key_message(key))

    async def RotateApiKey(self, request: pb.RotateApiKeyRequest, context: Context) -> pb.RotateApiKeyResponse:
        key, secret = await self._store.keys.rotate(
            request.request_id,
            allowed_tenant(request.tenant_id),
            request.api_key_id,
            read_duration(request, "grace") or timedelta(),
            request.etag,
            author_of(context),
        )
        return pb.RotateApiKeyResponse(api_key=api_key_message(key), secret=secret or "")

    async def DeleteApiKey(self, request: pb.DeleteApiKeyRequest, context: Context) -> pb.DeleteApiKeyResponse:
        tenant_id = allowed_tenant(request.tenant_id)
        key = await self._store.keys.delete(tenant_id, request.api_key_id, request.etag, author_of(context))
        return pb.DeleteApiKeyResponse(api_key=api_key_message(key))
