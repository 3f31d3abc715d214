"""Reading keys, groups and their limits: by secret, by id, and with what their windows hold."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from itertools import groupby

from quotad.administration import GroupDescription
from quotad.core.groups import GROUP_DEPTH_MAX
from quotad.core.state import KeyConfig, Placed, Rule, WindowKey, WindowState, limit_status
from quotad.store import statements, statements_groups, statements_keys
from quotad.store.configuration_rows import Row, group_from, key_config_from, limits_by_owner, rules_from
from quotad.store.connections import Connection
from quotad.store.rows import window_arrays, windows_from
from quotad.values import GroupName, KeyDescription, LimitOwner, LimitStatus

Paths = Mapping[str, tuple[GroupName, ...]]
"""By a group's id, the groups from it up to the root, itself first."""


def secret_hash(secret: str) -> bytes:
    """What is stored of a secret. It has 256 random bits, so that a plain hash cannot be searched."""
    return hashlib.sha256(secret.encode()).digest()


async def load_configuration(
    connection: Connection, tenant_id: str, api_key_ids: Collection[str]
) -> tuple[int, dict[str, KeyConfig]]:
    """A tenant's version, and the configurations of some of its keys, which are at least as young."""
    version: int | None = await connection.fetchval(statements_keys.CONFIG_VERSION, tenant_id)
    return version or 0, await load_keys(connection, tenant_id, api_key_ids)


async def load_keys(connection: Connection, tenant_id: str, api_key_ids: Collection[str]) -> dict[str, KeyConfig]:
    """The configurations of some keys, by id; unknown ids are left out. At most three statements, whatever the number.

    The version of the configuration is read first: where an edit came in between, `apply` will find another one.
    """
    configs, _ = await _load_keys(connection, tenant_id, api_key_ids)
    return configs


async def describe(connection: Connection, tenant_id: str, api_key_ids: Collection[str]) -> tuple[KeyDescription, ...]:
    """Keys with the state of all limits that bind them now, in the order of their ids; writes nothing."""
    configs, paths = await _load_keys(connection, tenant_id, api_key_ids)
    now: datetime = await connection.fetchval(statements.CLOCK)
    rules = (rule for config in configs.values() for rule in config.rules)
    statuses = await _statuses(connection, tenant_id, rules, now)
    return tuple(
        KeyDescription(
            config.api_key,
            tuple(statuses[rule.limit.limit_id] for rule in config.rules),
            now,
            tuple(reversed(paths.get(config.api_key.group_id, ()))),
        )
        for _, config in sorted(configs.items())
    )


async def describe_groups(
    connection: Connection, tenant_id: str, group_ids: Collection[str]
) -> tuple[GroupDescription, ...]:
    """Groups with the state of their own limits now, in the order of their ids; writes nothing."""
    if not group_ids:
        return ()
    groups = await connection.fetch(statements_groups.GROUPS, tenant_id, sorted(group_ids))
    limits = limits_by_owner(await connection.fetch(statements_keys.LIMITS, tenant_id, [], sorted(group_ids)))
    now: datetime = await connection.fetchval(statements.CLOCK)
    rules = {row["group_id"]: _group_rules(limits, GroupName(row["group_id"], row["name"])) for row in groups}
    statuses = await _statuses(connection, tenant_id, (rule for found in rules.values() for rule in found), now)
    return tuple(
        GroupDescription(
            group_from(row, tuple(rule.limit for rule in rules[row["group_id"]])),
            tuple(statuses[rule.limit.limit_id] for rule in rules[row["group_id"]]),
            now,
        )
        for row in sorted(groups, key=lambda row: str(row["group_id"]))
    )


async def read_windows(
    connection: Connection, tenant_id: str, rules: Collection[Placed]
) -> dict[WindowKey, WindowState]:
    """What the windows of some rules hold; nothing, where nobody has used one."""
    limit_ids, starts, _ = window_arrays({one.key: one.reset_time for one in rules})
    found = windows_from(await connection.fetch(statements.WINDOWS, tenant_id, limit_ids, starts))
    return {one.key: found.get(one.key) or unused_window(one.rule, one.reset_time) for one in rules}


async def groups_above(connection: Connection, tenant_id: str, group_ids: Collection[str]) -> Paths:
    """Unknown groups are left out; deleted ones are found, since deleted keys may still be in them."""
    if not group_ids:
        return {}
    rows = await connection.fetch(statements_groups.GROUPS_ABOVE, tenant_id, sorted(group_ids), GROUP_DEPTH_MAX)
    return {
        start: tuple(GroupName(row["group_id"], row["name"]) for row in found)
        for start, found in groupby(rows, key=lambda row: str(row["start_id"]))
    }


async def _load_keys(
    connection: Connection, tenant_id: str, api_key_ids: Collection[str]
) -> tuple[dict[str, KeyConfig], Paths]:
    if not api_key_ids:
        return {}, {}
    keys = await connection.fetch(statements_keys.KEYS, tenant_id, sorted(api_key_ids))
    paths = await groups_above(connection, tenant_id, {row["group_id"] for row in keys if row["group_id"]})
    groups = {group.group_id: group for path in paths.values() for group in path}
    rows = await connection.fetch(statements_keys.LIMITS, tenant_id, sorted(api_key_ids), sorted(groups))
    limits = limits_by_owner(rows)
    rules = {group_id: _group_rules(limits, group) for group_id, group in groups.items()}
    configs = {
        key["api_key_id"]: key_config_from(
            key,
            limits.get(key["api_key_id"], ()),
            [rule for group in paths.get(key["group_id"], ()) for rule in rules[group.group_id]],
        )
        for key in keys
    }
    return configs, paths


def _group_rules(limits: Mapping[str, Collection[Row]], group: GroupName) -> tuple[Rule, ...]:
    return rules_from(limits.get(group.group_id, ()), LimitOwner("", group.name, group.group_id))


async def _statuses(
    connection: Connection, tenant_id: str, rules: Iterable[Rule], now: datetime
) -> dict[str, LimitStatus]:
    """The state of each rule's window at `now`, by the limit's id."""
    placed = [rule.placed(now) for rule in rules]
    windows = await read_windows(connection, tenant_id, placed)
    return {one.key[0]: limit_status(one, windows[one.key].used, windows[one.key].held) for one in placed}


def unused_window(rule: Rule, reset_time: datetime | None) -> WindowState:
    """What a window that nobody has used holds."""
    return WindowState(reset_time, max_value=rule.limit.max_value, is_stored=False)
