"""Reading keys and their limits: by secret, by id, and with what their windows hold."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from datetime import datetime

from quotad.core.state import KeyConfig, Placed, WindowKey, WindowState, limit_status
from quotad.store import statements
from quotad.store.connections import Connection
from quotad.store.rows import key_config_from, window_arrays, windows_from
from quotad.values import KeyDescription


def secret_hash(secret: str) -> bytes:
    """What is stored of a secret. It has 256 random bits, so that a plain hash cannot be searched."""
    return hashlib.sha256(secret.encode()).digest()


async def load_configuration(
    connection: Connection, tenant_id: str, api_key_ids: Collection[str]
) -> tuple[int, dict[str, KeyConfig]]:
    """A tenant's version, and the configurations of some of its keys, which are at least as young."""
    version: int | None = await connection.fetchval(statements.CONFIG_VERSION, tenant_id)
    return version or 0, await load_keys(connection, tenant_id, api_key_ids)


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
    placed = [rule.placed(now) for config in configs.values() for rule in config.rules]
    windows = await read_windows(connection, tenant_id, placed)
    return tuple(_description(configs[api_key_id], windows, now) for api_key_id in sorted(configs))


async def read_windows(
    connection: Connection, tenant_id: str, rules: Collection[Placed]
) -> dict[WindowKey, WindowState]:
    """What the windows of some rules hold; nothing, where nobody has used one."""
    limit_ids, starts, _ = window_arrays({one.key: one.reset_time for one in rules})
    found = windows_from(await connection.fetch(statements.WINDOWS, tenant_id, limit_ids, starts))
    return {one.key: found.get(one.key) or _unused(one) for one in rules}


def _unused(placed: Placed) -> WindowState:
    return WindowState(placed.reset_time, max_value=placed.rule.limit.max_value, is_stored=False)


def _description(config: KeyConfig, windows: Mapping[WindowKey, WindowState], now: datetime) -> KeyDescription:
    placed = [rule.placed(now) for rule in config.rules]
    limits = tuple(limit_status(one, windows[one.key].used, windows[one.key].held) for one in placed)
    return KeyDescription(config.api_key, limits, now)
