"""The control plane's calls about service tokens, and the log of all edits."""

from __future__ import annotations

from protos.quota.v1 import quota_pb2 as pb
from quotad.server.admin_calls import Context, allowed_tenant, author_of, page_size_of, require_all_tenants
from quotad.server.edits import token_draft
from quotad.server.interceptors import CALLER
from quotad.server.tokens import TokenBook
from quotad.store import Store
from quotad.store.audit_log import ALL_TENANTS, AuditFilter
from quotad.wire.tokens import audit_entry_message, token_message


class TokenCalls:
    """A part of `AdminServicer`. An edit counts at once here, and on other daemons when they read the tokens again."""

    _store: Store
    _tokens: TokenBook

    async def CreateToken(self, request: pb.CreateTokenRequest, context: Context) -> pb.CreateTokenResponse:
        require_all_tenants()
        draft = token_draft(request.token)
        token, secret = await self._store.tokens.create(request.request_id, draft, author_of(context))
        await self._tokens.try_read()
        return pb.CreateTokenResponse(token=token_message(token), secret=secret or "")

    async def ListTokens(self, request: pb.ListTokensRequest, context: Context) -> pb.ListTokensResponse:
        require_all_tenants()
        found, next_page_token = await self._store.tokens.list(
            page_size=page_size_of(request.page_size), page_token=request.page_token
        )
        return pb.ListTokensResponse(tokens=[token_message(token) for token in found], next_page_token=next_page_token)

    async def RevokeToken(self, request: pb.RevokeTokenRequest, context: Context) -> pb.RevokeTokenResponse:
        require_all_tenants()
        token = await self._store.tokens.revoke(request.token_id, author_of(context))
        await self._tokens.try_read()
        return pb.RevokeTokenResponse(token=token_message(token))

    async def ListAuditEntries(
        self, request: pb.ListAuditEntriesRequest, context: Context
    ) -> pb.ListAuditEntriesResponse:
        tenant_id = allowed_tenant(request.tenant_id)
        found, next_page_token = await self._store.audit_log.list(
            (tenant_id, ALL_TENANTS) if CALLER.get().may_touch_all else (tenant_id,),
            AuditFilter(request.resource_kind, request.resource_id),
            page_size=page_size_of(request.page_size),
            page_token=request.page_token,
        )
        return pb.ListAuditEntriesResponse(
            entries=[audit_entry_message(entry) for entry in found], next_page_token=next_page_token
        )
