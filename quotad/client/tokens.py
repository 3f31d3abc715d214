"""Service tokens, and the log of who changed what."""

from __future__ import annotations

from collections.abc import Sequence

import uuid_utils

from protos.quota.v1 import quota_pb2 as pb
from quotad.administration import ServiceToken, TokenRole
from quotad.client.channel import Metadata, building
from quotad.client.connection import Connection
from quotad.client.types import AuditPage, CreatedToken, TokenPage
from quotad.values import DEFAULT_TENANT
from quotad.wire.scalars import TOKEN_ROLES
from quotad.wire.tokens import read_audit_entry, read_token


class TokenAdmin:
    """A part of `AdminClient`. Calls about tokens need a token that may touch all tenants."""

    _connection: Connection
    _metadata: Metadata

    async def create_token(
        self,
        name: str,
        role: TokenRole,
        *,
        tenant_ids: Sequence[str] = (),
        may_charge_unreserved: bool = False,
        request_id: str | None = None,
    ) -> CreatedToken:
        """Make a token, for all tenants unless some are named. Its secret is in the first answer only."""
        with building():
            request = pb.CreateTokenRequest(
                request_id=request_id or str(uuid_utils.uuid7()),
                token=pb.Token(
                    name=name,
                    role=TOKEN_ROLES.number(role),
                    tenant_ids=tenant_ids,
                    may_charge_unreserved=may_charge_unreserved,
                ),
            )
        return await self._connection.call(
            lambda stubs: stubs.admin.CreateToken,
            request,
            lambda response: CreatedToken(read_token(response.token, "token"), response.secret),
            metadata=self._metadata,
        )

    async def list_tokens(self, page_size: int = 100, page_token: str = "") -> TokenPage:
        """A page of the tokens that are not revoked, oldest first."""
        with building():
            request = pb.ListTokensRequest(page_size=page_size, page_token=page_token)
        return await self._connection.call(
            lambda stubs: stubs.admin.ListTokens, request, _read_tokens, metadata=self._metadata
        )

    async def revoke_token(self, token_id: str) -> ServiceToken:
        """End a token for good; again changes nothing."""
        with building():
            request = pb.RevokeTokenRequest(token_id=token_id)
        return await self._connection.call(
            lambda stubs: stubs.admin.RevokeToken,
            request,
            lambda response: read_token(response.token, "token"),
            metadata=self._metadata,
        )

    async def list_audit_entries(
        self,
        tenant_id: str = DEFAULT_TENANT,
        *,
        resource_kind: str = "",
        resource_id: str = "",
        page_size: int = 100,
        page_token: str = "",
    ) -> AuditPage:
        """A page of what was changed by whom, newest first; with a kind or an id, only what concerns those."""
        with building():
            request = pb.ListAuditEntriesRequest(
                tenant_id=tenant_id,
                page_size=page_size,
                page_token=page_token,
                resource_kind=resource_kind,
                resource_id=resource_id,
            )
        return await self._connection.call(
            lambda stubs: stubs.admin.ListAuditEntries, request, _read_entries, metadata=self._metadata
        )


def _read_tokens(response: pb.ListTokensResponse) -> TokenPage:
    tokens = tuple(read_token(item, f"tokens[{n}]") for n, item in enumerate(response.tokens))
    return TokenPage(tokens, response.next_page_token)


def _read_entries(response: pb.ListAuditEntriesResponse) -> AuditPage:
    entries = tuple(read_audit_entry(item, f"entries[{n}]") for n, item in enumerate(response.entries))
    return AuditPage(entries, response.next_page_token)
