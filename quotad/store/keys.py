"""Keys and their limits, as operators edit them.

Every edit moves the tenant's `config_version` in the same transaction: a plan made on the older configuration is then
refused by `apply_v2` and made again, so that an edit binds every Reserve that starts after it was acknowledged.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar
from uuid import UUID

from uuid_utils.compat import uuid7

from quotad.core.keys import KeyChanges, KeyDraft, Unset
from quotad.core.validation import check_id, check_key_changes, check_key_draft, check_text
from quotad.errors import EtagMismatch, InvalidRequest, Overloaded, ResourceNotFound
from quotad.store import statements
from quotad.store.configuration import describe, load_keys, secret_hash
from quotad.store.connections import Connection, Connections
from quotad.store.failures import PlanAgain
from quotad.values import ApiKey, KeyDescription, Limit

SECRET_PREFIX = "sk-quota-"  # noqa: S105
SECRET_BYTES = 32
PREFIX_CHARACTERS = len(SECRET_PREFIX) + 4
NAME_BYTES_MAX = 512
"""Of a name to look for: the longest name in its longest form."""
EDITS_MAX = 5
"""Tries of one edit before it answers `OVERLOADED`: another edit of the tenant got ahead each time."""

Result = TypeVar("Result")
_EDITABLE = ("name", "disabled", "expire_time", "allowed_models", "policies")


class Keys:
    """The keys of all tenants."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def create(self, request_id: str, tenant_id: str, draft: KeyDraft) -> tuple[ApiKey, str | None]:
        """Make a key; a repeat with the same `request_id` changes nothing and answers no secret."""
        check_id("request_id", request_id)
        check_id("tenant_id", tenant_id)
        check_key_draft(draft)

        async def edit(connection: Connection) -> tuple[ApiKey, str | None]:
            found = await connection.fetchval(statements.KEY_BY_REQUEST, tenant_id, request_id)
            if found is not None:
                return await _read(connection, tenant_id, found), None
            api_key_id, secret = f"key_{uuid7().hex}", SECRET_PREFIX + secrets.token_urlsafe(SECRET_BYTES)
            await _insert(connection, tenant_id, api_key_id, request_id, draft, secret)
            return await _read(connection, tenant_id, api_key_id), secret

        return await self._edit(tenant_id, edit)

    async def get(self, tenant_id: str, api_key_id: str) -> KeyDescription:
        """Read a key, deleted ones included, with the state of its limits; raises `ResourceNotFound`."""
        _check_ids(tenant_id, api_key_id)
        async with self._connections.acquire() as connection:
            found = await describe(connection, tenant_id, [api_key_id])
        if not found:
            raise ResourceNotFound("this API key is unknown")
        return found[0]

    async def list(
        self, tenant_id: str, *, page_size: int, page_token: str, name: str = ""
    ) -> tuple[tuple[KeyDescription, ...], str]:
        """Keys in the order they were made, and the token of the next page, empty on the last."""
        if not 1 <= page_size <= 1000:
            raise InvalidRequest("page_size", "a page has 1 to 1,000 keys")
        check_id("tenant_id", tenant_id)
        if page_token:
            check_id("page_token", page_token)
        check_text("name", name, NAME_BYTES_MAX)
        async with self._connections.acquire() as connection:
            rows = await connection.fetch(statements.LIST_KEYS, tenant_id, page_token, name, page_size + 1)
            ids = [row["api_key_id"] for row in rows]
            page = await describe(connection, tenant_id, ids[:page_size])
        return page, ids[page_size - 1] if len(ids) > page_size else ""

    async def update(self, tenant_id: str, api_key_id: str, changes: KeyChanges, etag: str) -> ApiKey:
        """Change what is not `UNSET`; raises `ResourceNotFound` and, for a stale etag, `EtagMismatch`."""
        _check_ids(tenant_id, api_key_id)
        check_key_changes(changes)

        async def edit(connection: Connection) -> ApiKey:
            key = await _editable(connection, tenant_id, api_key_id, etag)
            given = {field: getattr(changes, field) for field in _EDITABLE}
            edited = replace(key, **{field: value for field, value in given.items() if not isinstance(value, Unset)})
            await connection.execute(statements.UPDATE_KEY, tenant_id, api_key_id, *_fields(edited), _new_etag())
            if not isinstance(changes.limits, Unset):
                await _replace_limits(connection, tenant_id, api_key_id, changes.limits)
            return await _read(connection, tenant_id, api_key_id)

        return await self._edit(tenant_id, edit)

    async def delete(self, tenant_id: str, api_key_id: str, etag: str) -> ApiKey:
        """Delete a key; again changes nothing. Open reservations can still be settled."""
        _check_ids(tenant_id, api_key_id)

        async def edit(connection: Connection) -> ApiKey:
            key = await _editable(connection, tenant_id, api_key_id, etag, deleted=True)
            if key.delete_time is None:
                await connection.execute(statements.DELETE_KEY, tenant_id, api_key_id, _new_etag())
            return await _read(connection, tenant_id, api_key_id)

        return await self._edit(tenant_id, edit)

    async def _edit(self, tenant_id: str, edit: Callable[[Connection], Awaitable[Result]]) -> Result:
        for _ in range(EDITS_MAX):
            try:
                async with self._connections.acquire() as connection, connection.transaction():
                    await connection.execute(statements.LOCK_TENANT, tenant_id)
                    return await edit(connection)
            except PlanAgain:
                continue
        raise Overloaded("the configuration of this tenant is too busy")


def _check_ids(tenant_id: str, api_key_id: str) -> None:
    check_id("tenant_id", tenant_id)
    check_id("api_key_id", api_key_id)


async def _insert(
    connection: Connection, tenant_id: str, api_key_id: str, request_id: str, draft: KeyDraft, secret: str
) -> None:
    await connection.execute(
        statements.INSERT_KEY,
        tenant_id,
        api_key_id,
        draft.name,
        secret[:PREFIX_CHARACTERS],
        draft.disabled,
        draft.expire_time,
        list(draft.allowed_models),
        draft.policies.on_missing_usage.value,
        draft.policies.default_output_tokens,
        request_id,
        _new_etag(),
    )
    await connection.execute(statements.INSERT_SECRET, secret_hash(secret), tenant_id, api_key_id)
    await connection.execute(statements.INSERT_KEY_TENANT, api_key_id, tenant_id)
    await _replace_limits(connection, tenant_id, api_key_id, draft.limits)


async def _replace_limits(connection: Connection, tenant_id: str, api_key_id: str, limits: tuple[Limit, ...]) -> None:
    await connection.execute(statements.REMOVE_LIMITS, tenant_id, api_key_id)
    for position, limit in enumerate(limits):
        await connection.execute(
            statements.PUT_LIMIT,
            tenant_id,
            UUID(uuid7().hex),
            api_key_id,
            limit.metric,
            limit.window.kind.value,
            limit.window.seconds,
            limit.window.time_zone,
            limit.model_pattern,
            limit.max_value,
            limit.enforcement.value,
            position,
        )


async def _editable(
    connection: Connection, tenant_id: str, api_key_id: str, etag: str, *, deleted: bool = False
) -> ApiKey:
    key = await _read(connection, tenant_id, api_key_id)
    if key.delete_time is not None and not deleted:
        raise ResourceNotFound("this API key has been deleted")
    if etag and etag != key.etag:
        raise EtagMismatch("this API key has been edited since it was read")
    return key


async def _read(connection: Connection, tenant_id: str, api_key_id: str) -> ApiKey:
    found = await load_keys(connection, tenant_id, [api_key_id])
    if not found:
        raise ResourceNotFound("this API key is unknown")
    return found[api_key_id].api_key


def _fields(key: ApiKey) -> tuple[object, ...]:
    policies = key.policies.on_missing_usage.value, key.policies.default_output_tokens
    return (key.name, key.disabled, key.expire_time, list(key.allowed_models), *policies)


def _new_etag() -> str:
    return secrets.token_hex(8)
