"""Locks over all replicas: Postgres advisory locks, each held by a transaction on a connection of its own.

A holder that dies lets go with its connection. One whose host vanished lets go when the database ends the idle
transaction, so no lock outlives its bound.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import cast

import asyncpg
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

LETTING_GO_SECONDS = 5.0
"""How much longer than its holder wants it the database keeps a lock that stands idle."""


class LockBusy(TimeoutError):
    """Another replica has the lock."""


@asynccontextmanager
async def lock(
    engine: AsyncEngine, name: str, *, wait_seconds: float, hold_seconds_max: float
) -> AsyncIterator[AsyncConnection]:
    """Hold the lock `name` while the block runs, in whose transaction the block may also write.

    Raises `LockBusy` after `wait_seconds` (0: at once), `TimeoutError` where the block takes longer than
    `hold_seconds_max`, and the database's errors.
    """
    async with (
        asyncio.timeout(wait_seconds + hold_seconds_max + LETTING_GO_SECONDS),
        _apart(engine) as connection,
        connection.begin(),
    ):
        await _set(connection, "idle_in_transaction_session_timeout", hold_seconds_max + LETTING_GO_SECONDS)
        await _take(connection, name, wait_seconds)
        async with asyncio.timeout(hold_seconds_max):
            yield connection


@asynccontextmanager
async def _apart(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection beside the pool, which is for short work: this one is kept while a provider takes its time."""
    async with AsyncExitStack() as stack:
        connection = await engine.connect()
        raw = await connection.get_raw_connection()
        # SQLAlchemy drops a detached connection that failed without closing it.
        stack.callback(_end, cast("asyncpg.Connection[asyncpg.Record]", raw.driver_connection))
        stack.push_async_callback(connection.close)
        await connection.run_sync(lambda held: held.detach())
        yield connection


def _end(driver: asyncpg.Connection[asyncpg.Record]) -> None:
    if not driver.is_closed():
        driver.terminate()


async def _take(connection: AsyncConnection, name: str, wait_seconds: float) -> None:
    key = func.hashtextextended(name, 0)
    if not wait_seconds:
        if not (await connection.execute(select(func.pg_try_advisory_xact_lock(key)))).scalar_one():
            raise LockBusy(f"another replica has the lock {name}")
        return
    try:
        async with asyncio.timeout(wait_seconds):
            await connection.execute(select(func.pg_advisory_xact_lock(key)))
    except TimeoutError as exc:
        raise LockBusy(f"another replica has the lock {name}") from exc


async def _set(connection: AsyncConnection, setting: str, seconds: float) -> None:
    await connection.execute(select(func.set_config(setting, str(round(seconds * 1000)), True)))
