"""The control plane. Every edit is logged with the token's name and the actor that the caller gave."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import grpc.aio
import structlog

from protos.quota.v1 import quota_pb2 as pb
from protos.quota.v1 import quota_pb2_grpc as rpc
from quotad.server.interceptors import CALLER
from quotad.server.key_edits import key_changes, key_draft
from quotad.store.keys import Keys
from quotad.values import DEFAULT_TENANT, ApiKey
from quotad.wire.keys import api_key_message, description_message

Context = grpc.aio.ServicerContext[Any, Any]

ACTOR_METADATA = "quota-actor"
ACTOR_CHARACTERS_MAX = 128
PAGE_SIZE = 100
PAGE_SIZE_MAX = 1000
"""A larger one is taken as this, as AIP-158 has it."""

log = structlog.get_logger(__name__)


class AdminServicer(rpc.AdminServiceServicer):
    """`quota.v1.AdminService` on one store's keys."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    async def CreateApiKey(self, request: pb.CreateApiKeyRequest, context: Context) -> pb.CreateApiKeyResponse:
        draft = key_draft(request.api_key)
        key, secret = await self._keys.create(request.request_id, _tenant(request.tenant_id), draft)
        if secret is not None:
            _log_edit("api key created", key, context)
        return pb.CreateApiKeyResponse(api_key=api_key_message(key), secret=secret or "")

    async def GetApiKey(self, request: pb.GetApiKeyRequest, context: Context) -> pb.GetApiKeyResponse:
        description = await self._keys.get(_tenant(request.tenant_id), request.api_key_id)
        return description_message(pb.GetApiKeyResponse, description)

    async def ListApiKeys(self, request: pb.ListApiKeysRequest, context: Context) -> pb.ListApiKeysResponse:
        found, next_page_token = await self._keys.list(
            _tenant(request.tenant_id),
            page_size=min(request.page_size or PAGE_SIZE, PAGE_SIZE_MAX),
            page_token=request.page_token,
            name=request.name,
        )
        keys = [description_message(pb.ApiKeyWithLimits, description) for description in found]
        return pb.ListApiKeysResponse(api_keys=keys, next_page_token=next_page_token)

    async def UpdateApiKey(self, request: pb.UpdateApiKeyRequest, context: Context) -> pb.UpdateApiKeyResponse:
        changes = key_changes(request)
        tenant_id, api_key_id = _tenant(request.tenant_id), request.api_key.api_key_id
        key = await self._keys.update(tenant_id, api_key_id, changes, request.api_key.etag)
        _log_edit("api key updated", key, context, fields=sorted(request.update_mask.paths))
        return pb.UpdateApiKeyResponse(api_key=api_key_message(key))

    async def DeleteApiKey(self, request: pb.DeleteApiKeyRequest, context: Context) -> pb.DeleteApiKeyResponse:
        key = await self._keys.delete(_tenant(request.tenant_id), request.api_key_id, request.etag)
        _log_edit("api key deleted", key, context)
        return pb.DeleteApiKeyResponse(api_key=api_key_message(key))


def _tenant(tenant_id: str) -> str:
    return tenant_id or DEFAULT_TENANT


def _log_edit(event: str, key: ApiKey, context: Context, **facts: object) -> None:
    log.info(
        event,
        tenant_id=key.tenant_id,
        api_key_id=key.api_key_id,
        name=key.name,
        caller=CALLER.get().name,
        actor=_actor(context),
        **facts,
    )


def _actor(context: Context) -> str:
    for name, value in context.invocation_metadata() or ():
        if name == ACTOR_METADATA and isinstance(value, str):
            return unquote(value)[:ACTOR_CHARACTERS_MAX]
    return ""
