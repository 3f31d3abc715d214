"""Keys, their secrets and their limits, as operators edit them. `quotad.store.edits` says how an edit binds."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import timedelta

from uuid_utils.compat import uuid7

from quotad.administration import Author
from quotad.core.edit_validation import check_grace, check_key_changes, check_key_draft
from quotad.core.keys import KeyChanges, KeyDraft, Unset
from quotad.core.validation import check_id, check_text
from quotad.errors import ResourceNotFound
from quotad.store import statements_keys
from quotad.store.audit_log import Action, Change, ResourceKind, note
from quotad.store.configuration import describe, load_keys, secret_hash
from quotad.store.configuration_rows import policies_columns
from quotad.store.connections import Connection, Connections, StoreSettings
from quotad.store.edits import NAME_BYTES_MAX, check_etag, check_page_size, edit_tenant, new_etag, replace_limits
from quotad.store.groups import require_group
from quotad.values import ApiKey, KeyDescription, LimitOwner

SECRET_PREFIX = "sk-quota-"  # noqa: S105
SECRET_BYTES = 32
PREFIX_CHARACTERS = len(SECRET_PREFIX) + 4

_EDITABLE = ("name", "disabled", "expire_time", "allowed_models", "policies", "group_id")


class Keys:
    """The keys of all tenants."""

    def __init__(self, connections: Connections, settings: StoreSettings) -> None:
        self._connections = connections
        self._horizon = timedelta(seconds=settings.horizon_seconds)

    async def create(
        self, request_id: str, tenant_id: str, draft: KeyDraft, author: Author = Author()
    ) -> tuple[ApiKey, str | None]:
        """Make a key; a repeat with the same `request_id` changes nothing and answers no secret."""
        check_id("request_id", request_id)
        check_id("tenant_id", tenant_id)
        check_key_draft(draft)

        async def edit(connection: Connection) -> tuple[ApiKey, str | None]:
            found = await connection.fetchval(statements_keys.KEY_BY_REQUEST, tenant_id, request_id)
            if found is not None:
                return await _read(connection, tenant_id, found), None
            await require_group(connection, tenant_id, draft.group_id)
            api_key_id, secret = f"key_{uuid7().hex}", _new_secret()
            await _insert(connection, tenant_id, api_key_id, request_id, draft, secret)
            key = await _read(connection, tenant_id, api_key_id)
            await note(connection, tenant_id, author, _change(Action.CREATE, None, key))
            return key, secret

        return await edit_tenant(self._connections, tenant_id, edit)

    async def get(self, tenant_id: str, api_key_id: str) -> KeyDescription:
        """Read a key, deleted ones included, with the state of its limits; raises `ResourceNotFound`."""
        _check_ids(tenant_id, api_key_id)
        async with self._connections.acquire() as connection:
            found = await describe(connection, tenant_id, [api_key_id])
        if not found:
            raise ResourceNotFound("this API key is unknown")
        return found[0]

    async def list(
        self, tenant_id: str, *, page_size: int, page_token: str, name: str = "", group_id: str = ""
    ) -> tuple[tuple[KeyDescription, ...], str]:
        """Keys in the order they were made, and the token of the next page, empty on the last."""
        check_page_size(page_size)
        check_id("tenant_id", tenant_id)
        if page_token:
            check_id("page_token", page_token)
        check_text("name", name, NAME_BYTES_MAX)
        if group_id:
            check_id("group_id", group_id)
        async with self._connections.acquire() as connection:
            arguments = tenant_id, page_token, name, group_id, page_size + 1
            rows = await connection.fetch(statements_keys.LIST_KEYS, *arguments)
            ids = [row["api_key_id"] for row in rows]
            page = await describe(connection, tenant_id, ids[:page_size])
        return page, ids[page_size - 1] if len(ids) > page_size else ""

    async def update(
        self, tenant_id: str, api_key_id: str, changes: KeyChanges, etag: str, author: Author = Author()
    ) -> ApiKey:
        """Change what is not `UNSET`; raises `ResourceNotFound` and, for a stale etag, `EtagMismatch`."""
        _check_ids(tenant_id, api_key_id)
        check_key_changes(changes)

        async def edit(connection: Connection) -> ApiKey:
            key = await _editable(connection, tenant_id, api_key_id, etag)
            if not isinstance(changes.group_id, Unset):
                await require_group(connection, tenant_id, changes.group_id)
            given = {field: getattr(changes, field) for field in _EDITABLE}
            edited = replace(key, **{field: value for field, value in given.items() if not isinstance(value, Unset)})
            await connection.execute(statements_keys.UPDATE_KEY, tenant_id, api_key_id, *_columns(edited), new_etag())
            if not isinstance(changes.limits, Unset):
                await replace_limits(connection, tenant_id, LimitOwner(api_key_id, edited.name), changes.limits)
            return await _noted(connection, author, Action.UPDATE, key)

        return await edit_tenant(self._connections, tenant_id, edit)

    async def rotate(
        self,
        request_id: str,
        tenant_id: str,
        api_key_id: str,
        grace: timedelta,
        etag: str = "",
        author: Author = Author(),
    ) -> tuple[ApiKey, str | None]:
        """Give a key another secret; the ones that it has work for `grace` more, and then only to settle.

        A repeat with the same `request_id` changes nothing and answers no secret.
        """
        check_id("request_id", request_id)
        _check_ids(tenant_id, api_key_id)
        check_grace(grace)

        async def edit(connection: Connection) -> tuple[ApiKey, str | None]:
            names = tenant_id, api_key_id, request_id
            if await connection.fetchval(statements_keys.ROTATION_BY_REQUEST, *names):
                return await _read(connection, tenant_id, api_key_id), None
            key = await _editable(connection, tenant_id, api_key_id, etag)
            secret = _new_secret()
            await connection.execute(statements_keys.DROP_OLD_SECRETS, tenant_id, api_key_id, self._horizon)
            await connection.execute(statements_keys.RETIRE_SECRETS, tenant_id, api_key_id, grace)
            await connection.execute(statements_keys.INSERT_SECRET, secret_hash(secret), *names)
            shown = secret[:PREFIX_CHARACTERS]
            await connection.execute(statements_keys.SET_SECRET_PREFIX, tenant_id, api_key_id, shown, new_etag())
            return await _noted(connection, author, Action.ROTATE, key), secret

        return await edit_tenant(self._connections, tenant_id, edit)

    async def delete(self, tenant_id: str, api_key_id: str, etag: str, author: Author = Author()) -> ApiKey:
        """Delete a key; again changes nothing. Open reservations can still be settled."""
        _check_ids(tenant_id, api_key_id)

        async def edit(connection: Connection) -> ApiKey:
            key = await _editable(connection, tenant_id, api_key_id, etag, deleted=True)
            if key.delete_time is not None:
                return key
            await connection.execute(statements_keys.DELETE_KEY, tenant_id, api_key_id, new_etag())
            return await _noted(connection, author, Action.DELETE, key)

        return await edit_tenant(self._connections, tenant_id, edit)


def _check_ids(tenant_id: str, api_key_id: str) -> None:
    check_id("tenant_id", tenant_id)
    check_id("api_key_id", api_key_id)


def _new_secret() -> str:
    return SECRET_PREFIX + secrets.token_urlsafe(SECRET_BYTES)


async def _insert(
    connection: Connection, tenant_id: str, api_key_id: str, request_id: str, draft: KeyDraft, secret: str
) -> None:
    shown = secret[:PREFIX_CHARACTERS]
    await connection.execute(
        statements_keys.INSERT_KEY, tenant_id, api_key_id, request_id, shown, *_columns(draft), new_etag()
    )
    await connection.execute(statements_keys.INSERT_SECRET, secret_hash(secret), tenant_id, api_key_id, None)
    await connection.execute(statements_keys.INSERT_KEY_TENANT, api_key_id, tenant_id)
    await replace_limits(connection, tenant_id, LimitOwner(api_key_id, draft.name), draft.limits)


def _columns(key: ApiKey | KeyDraft) -> tuple[object, ...]:
    """In the order in which the statements name the columns."""
    return (
        key.name,
        key.disabled,
        key.expire_time,
        list(key.allowed_models),
        key.group_id or None,
        *policies_columns(key.policies),
    )


async def _editable(
    connection: Connection, tenant_id: str, api_key_id: str, etag: str, *, deleted: bool = False
) -> ApiKey:
    key = await _read(connection, tenant_id, api_key_id)
    if key.delete_time is not None and not deleted:
        raise ResourceNotFound("this API key has been deleted")
    check_etag(etag, key.etag)
    return key


async def _noted(connection: Connection, author: Author, action: Action, before: ApiKey) -> ApiKey:
    """The key as it is after the edit, which is noted."""
    after = await _read(connection, before.tenant_id, before.api_key_id)
    await note(connection, before.tenant_id, author, _change(action, before, after))
    return after


def _change(action: Action, before: ApiKey | None, after: ApiKey) -> Change:
    return Change(action, ResourceKind.API_KEY, after.api_key_id, before, after)


async def _read(connection: Connection, tenant_id: str, api_key_id: str) -> ApiKey:
    found = await load_keys(connection, tenant_id, [api_key_id])
    if not found:
        raise ResourceNotFound("this API key is unknown")
    return found[api_key_id].api_key
