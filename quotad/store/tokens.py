"""The tokens with which services authenticate to the daemon; only their hashes are stored."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

import asyncpg
from uuid_utils.compat import uuid7

from quotad.administration import Author, ServiceToken, TokenRole
from quotad.core.edit_validation import check_token_draft
from quotad.core.keys import TokenDraft
from quotad.core.validation import check_id
from quotad.errors import InvalidRequest, ResourceNotFound
from quotad.store import statements_tokens
from quotad.store.audit_log import ALL_TENANTS, Action, Change, ResourceKind, note
from quotad.store.configuration import secret_hash
from quotad.store.connections import Connections
from quotad.store.edits import check_page_size

SECRET_PREFIX = "qt-"  # noqa: S105
SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Token:
    """Who calls, and what it may do."""

    name: str
    role: TokenRole
    tenants: frozenset[str] = frozenset()
    """Empty means all."""
    may_charge_unreserved: bool = True

    @property
    def may_touch_all(self) -> bool:
        return not self.tenants

    def may_touch(self, tenant_id: str) -> bool:
        return self.may_touch_all or tenant_id in self.tenants


class Tokens:
    """The service tokens, which belong to no tenant."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def put(self, name: str, secret: str, role: TokenRole) -> bool:
        """Make `secret` the one token of this name, for all tenants; safe to repeat.

        False where this token has been revoked, which it then stays.
        """
        digest = secret_hash(secret)
        async with self._connections.acquire() as connection, connection.transaction():
            await connection.execute(statements_tokens.LOCK_TOKENS)
            arguments = _new_id(), digest, name, role.value
            is_active: bool = await connection.fetchval(statements_tokens.PUT_TOKEN, *arguments)
            await connection.execute(statements_tokens.DROP_OTHER_TOKENS, name, digest)
        return is_active

    async def load(self) -> Mapping[bytes, Token]:
        """All tokens that are not revoked, by the SHA-256 of their secret."""
        async with self._connections.acquire() as connection:
            rows = await connection.fetch(statements_tokens.ACTIVE_TOKENS)
        return {
            row["token_hash"]: Token(
                row["name"], TokenRole(row["role"]), frozenset(row["tenant_ids"]), row["may_charge_unreserved"]
            )
            for row in rows
        }

    async def create(
        self, request_id: str, draft: TokenDraft, author: Author = Author()
    ) -> tuple[ServiceToken, str | None]:
        """Make a token; a repeat with the same `request_id` changes nothing and answers no secret."""
        check_id("request_id", request_id)
        check_token_draft(draft)
        secret = SECRET_PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        async with self._connections.acquire() as connection, connection.transaction():
            await connection.execute(statements_tokens.LOCK_TOKENS)
            found = await connection.fetchrow(statements_tokens.TOKEN_BY_REQUEST, request_id)
            if found is not None:
                return _token_from(found), None
            if await connection.fetchval(statements_tokens.TOKEN_NAME_TAKEN, draft.name):
                raise InvalidRequest("token.name", "another token has this name")
            made = await connection.fetchrow(
                statements_tokens.INSERT_TOKEN,
                _new_id(),
                secret_hash(secret),
                request_id,
                draft.name,
                draft.role.value,
                sorted(set(draft.tenant_ids)),
                draft.may_charge_unreserved,
            )
            token = _token_from(made)
            await note(connection, ALL_TENANTS, author, _change(Action.CREATE, None, token))
        return token, secret

    async def list(self, *, page_size: int, page_token: str) -> tuple[tuple[ServiceToken, ...], str]:
        """Tokens that are not revoked, in the order they were made, and the token of the next page."""
        check_page_size(page_size)
        if page_token:
            check_id("page_token", page_token)
        async with self._connections.acquire() as connection:
            rows = await connection.fetch(statements_tokens.LIST_TOKENS, page_token, page_size + 1)
        page = tuple(_token_from(row) for row in rows[:page_size])
        return page, page[-1].token_id if len(rows) > page_size else ""

    async def revoke(self, token_id: str, author: Author = Author()) -> ServiceToken:
        """End a token for good; again changes nothing. Raises `ResourceNotFound`."""
        check_id("token_id", token_id)
        async with self._connections.acquire() as connection, connection.transaction():
            await connection.execute(statements_tokens.LOCK_TOKENS)
            found = await connection.fetchrow(statements_tokens.TOKEN, token_id)
            if found is None:
                raise ResourceNotFound("this token is unknown")
            before = _token_from(found)
            if before.revoke_time is not None:
                return before
            after = _token_from(await connection.fetchrow(statements_tokens.REVOKE_TOKEN, token_id))
            await note(connection, ALL_TENANTS, author, _change(Action.REVOKE, before, after))
        return after


def _new_id() -> str:
    return f"tok_{uuid7().hex}"


def _change(action: Action, before: ServiceToken | None, after: ServiceToken) -> Change:
    return Change(action, ResourceKind.TOKEN, after.token_id, before, after)


def _token_from(row: asyncpg.Record | None) -> ServiceToken:
    if row is None:
        raise ResourceNotFound("this token is unknown")
    return ServiceToken(
        token_id=row["token_id"],
        name=row["name"],
        role=TokenRole(row["role"]),
        tenant_ids=tuple(row["tenant_ids"]),
        may_charge_unreserved=row["may_charge_unreserved"],
        create_time=row["create_time"],
        revoke_time=row["revoke_time"],
    )
