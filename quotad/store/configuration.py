"""Reading keys and their limits: by secret, by id, and with what their windows hold."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from datetime import datetime

from quotad.core.state import KeyConfig, WindowKey, WindowState, limit_status
from quotad.core.validation import check_id
from quotad.errors import ApiKeyUnknown, InvalidRequest
from quotad.store import statements
from quotad.store.connections import Connection
from quotad.store.rows import key_config_from, window_arrays, windows_from
from quotad.values import DEFAULT_TENANT, KeyDescription, Scope, Subject


def secret_hash(secret: str) -> bytes:
    """What is stored of a secret. It has 256 random bits, so that a plain hash cannot be searched."""
    return hashlib.sha256(secret.encode()).digest()


async def resolve_subject(connection: Connection, subject: Subject) -> tuple[str, str]:
    """Tenant and id of the key; raises `ApiKeyUnknown`. Disabled and deleted keys resolve too."""
    if subject.api_key_id is not None:
        check_id("api_key_id", subject.api_key_id)
    if subject.api_key is not None:
        row = await connection.fetchrow(statements.KEY_BY_SECRET, secret_hash(subject.api_key))
    else:
        row = await connection.fetchrow(statements.KEY_BY_ID, subject.api_key_id)
    if row is None:
        raise ApiKeyUnknown("this API key is unknown")
    return row["tenant_id"], row["api_key_id"]


async def resolve_scope(connection: Connection, scope: Scope, reservation_id: str | None = None) -> tuple[str, str]:
    """Tenant of the scope, and the key's id where it names one.

    An unset scope means the default tenant. While there are others, an id that is unknown there is more likely one of
    theirs: raises `InvalidRequest` rather than answer for the wrong tenant.
    """
    if scope.api_key is not None or scope.api_key_id is not None:
        return await resolve_subject(connection, Subject(scope.api_key, scope.api_key_id))
    if scope.tenant_id is not None:
        check_id("tenant_id", scope.tenant_id)
    elif reservation_id is not None:
        ambiguous = await connection.fetchval(statements.IS_AMBIGUOUS, DEFAULT_TENANT, reservation_id)
        if ambiguous:
            raise InvalidRequest("scope", "there are several tenants: the scope must name the reservation's")
    return scope.tenant_id or DEFAULT_TENANT, ""


async def load_keys(connection: Connection, tenant_id: str, api_key_ids: Collection[str]) -> dict[str, KeyConfig]:
    """The configurations of some keys, by id; unknown ids are left out."""
    if not api_key_ids:
        return {}
    ids = sorted(api_key_ids)
    keys = await connection.fetch(statements.KEYS, tenant_id, ids)
    limits = await connection.fetch(statements.LIMITS, tenant_id, ids)
    return {
        key["api_key_id"]: key_config_from(key, [row for row in limits if row["api_key_id"] == key["api_key_id"]])
        for key in keys
    }


async def describe(connection: Connection, tenant_id: str, api_key_ids: Collection[str]) -> tuple[KeyDescription, ...]:
    """Keys with the state of all their limits now, in the order of their ids; writes nothing."""
    configs = await load_keys(connection, tenant_id, api_key_ids)
    now: datetime = await connection.fetchval(statements.CLOCK)
    needed = {rule.window_key(now): rule.reset_time(now) for config in configs.values() for rule in config.rules}
    limit_ids, starts, _ = window_arrays(needed)
    found = windows_from(await connection.fetch(statements.WINDOWS, tenant_id, limit_ids, starts))
    windows = {key: found.get(key, WindowState(reset_time)) for key, reset_time in needed.items()}
    return tuple(_description(configs[api_key_id], windows, now) for api_key_id in sorted(configs))


def _description(config: KeyConfig, windows: Mapping[WindowKey, WindowState], now: datetime) -> KeyDescription:
    limits = tuple(limit_status(rule, key, windows[key]) for rule in config.rules for key in (rule.window_key(now),))
    return KeyDescription(config.api_key, limits, now)
