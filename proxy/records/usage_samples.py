"""What is read and written of accounts' usage windows. Transactions are the caller's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping, Select, Text, column, delete, exists, func, literal, select, true, values
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils import uuid7

from proxy.records.accounts import AccountState
from proxy.records.tables import NEWEST_SAMPLE_FIRST, accounts, usage_fetches, usage_samples
from proxy.records.texts import storable
from proxy.records.usage import AccountUsage, Credits, SampleSource, UsageWindow, WindowUsage

CREDITS = "credits"
PARTS = (*(window.value for window in UsageWindow), CREDITS)
PURGE_ROWS_MAX = 10_000
"""Rows removed in one transaction."""
ERROR_CHARACTERS_MAX = 500
FETCHED_STATES = (AccountState.ACTIVE, AccountState.RATE_LIMITED, AccountState.QUOTA_EXCEEDED)


@dataclass(frozen=True, slots=True)
class UsageFetch:
    """How the last fetch of an account's usage ended; `error` is empty where it gave something."""

    fetch_time: datetime
    error: str


async def latest_by_account(connection: AsyncConnection) -> Mapping[str, AccountUsage]:
    """Account id to its usage. Of each window only the newest sample is read, whatever the history holds (C1)."""
    found: dict[str, AccountUsage] = {}
    for row in (await connection.execute(_newest())).mappings():
        known = found.get(row["account_id"], AccountUsage())
        found[row["account_id"]] = known.merged(_usage(row))
    return found


async def insert_samples(connection: AsyncConnection, account_id: str, usage: AccountUsage) -> bool:
    """Add one sample for each part that is told; False where nothing was written: no part, or no such account."""
    rows = _rows(usage)
    if not rows or not await _is_there(connection, account_id):
        return False
    common = {"account_id": account_id}
    await connection.execute(
        insert(usage_samples), [{**_empty(), **row, **common, "sample_id": str(uuid7())} for row in rows]
    )
    return True


async def due_accounts(connection: AsyncConnection, interval: timedelta) -> frozenset[str]:
    """Accounts with a usage URL that serve and whose last fetch, by the database's clock, is as old as that."""
    is_recent = exists().where(
        usage_fetches.c.account_id == accounts.c.account_id,
        usage_fetches.c.fetch_time > func.clock_timestamp() - interval,
    )
    statement = select(accounts.c.account_id).where(
        accounts.c.usage_url != "", accounts.c.state.in_(FETCHED_STATES), ~is_recent
    )
    return frozenset((await connection.execute(statement)).scalars())


async def note_fetch(connection: AsyncConnection, account_id: str, error: str) -> None:
    """Remember that an account's usage was asked for just now, and how that failed."""
    said = storable(error, ERROR_CHARACTERS_MAX)
    source = select(accounts.c.account_id, func.clock_timestamp(), literal(said, Text)).where(
        accounts.c.account_id == account_id
    )
    statement = insert(usage_fetches).from_select(["account_id", "fetch_time", "error"], source)
    changed = {"fetch_time": statement.excluded.fetch_time, "error": statement.excluded.error}
    await connection.execute(statement.on_conflict_do_update(index_elements=[usage_fetches.c.account_id], set_=changed))


async def list_fetches(connection: AsyncConnection) -> Mapping[str, UsageFetch]:
    """Account id to its last fetch."""
    found = await connection.execute(select(usage_fetches))
    return {row["account_id"]: UsageFetch(row["fetch_time"], row["error"]) for row in found.mappings()}


async def purge_samples(connection: AsyncConnection, age: timedelta) -> int:
    """Remove samples that are older than that and not the newest of their window; returns how many."""
    newer = usage_samples.alias("newer")
    has_newer = exists().where(
        newer.c.account_id == usage_samples.c.account_id,
        newer.c.usage_window == usage_samples.c.usage_window,
        newer.c.sample_time > usage_samples.c.sample_time,
    )
    old = (
        select(usage_samples.c.sample_id)
        .where(usage_samples.c.sample_time < func.now() - age, has_newer)
        .limit(PURGE_ROWS_MAX)
    )
    return (await connection.execute(delete(usage_samples).where(usage_samples.c.sample_id.in_(old)))).rowcount


def _newest() -> Select[Any]:
    part = values(column("part", Text), name="parts").data([(name,) for name in PARTS])
    newest = (
        select(usage_samples)
        .where(usage_samples.c.account_id == accounts.c.account_id, usage_samples.c.usage_window == part.c.part)
        .order_by(*NEWEST_SAMPLE_FIRST)
        .limit(1)
        .lateral("newest")
    )
    return select(newest).select_from(accounts.join(part, true()).join(newest, true()))


async def _is_there(connection: AsyncConnection, account_id: str) -> bool:
    statement = select(accounts.c.account_id).where(accounts.c.account_id == account_id).with_for_update(key_share=True)
    return (await connection.execute(statement)).first() is not None


def _usage(row: RowMapping) -> AccountUsage:
    source = SampleSource(row["source"])
    if row["usage_window"] == CREDITS:
        told = Credits(row["has_credits"], row["is_unlimited"], row["balance"], row["sample_time"], source)
        return AccountUsage(credits=told)
    window = WindowUsage(row["used_percent"], row["window_minutes"], row["reset_time"], row["sample_time"], source)
    return (
        AccountUsage(primary=window) if row["usage_window"] == UsageWindow.PRIMARY else AccountUsage(secondary=window)
    )


def _rows(usage: AccountUsage) -> list[dict[str, object]]:
    parts = ((UsageWindow.PRIMARY, usage.primary), (UsageWindow.SECONDARY, usage.secondary))
    rows: list[dict[str, object]] = [
        {
            "usage_window": name.value,
            "used_percent": window.used_percent,
            "window_minutes": window.window_minutes,
            "reset_time": window.reset_time,
            "sample_time": window.sample_time,
            "source": window.source.value,
        }
        for name, window in parts
        if window is not None
    ]
    told = usage.credits
    if told is not None:
        rows.append(
            {
                "usage_window": CREDITS,
                "has_credits": told.has_credits,
                "is_unlimited": told.is_unlimited,
                "balance": told.balance,
                "sample_time": told.sample_time,
                "source": told.source.value,
            }
        )
    return rows


def _empty() -> dict[str, object]:
    return dict.fromkeys(column.name for column in usage_samples.c)
