"""Locks over all replicas."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from proxy.records import locks
from proxy.records.locks import LockBusy, lock


async def test_a_lock_has_one_holder_and_is_free_after_it(engine: AsyncEngine) -> None:
    async with lock(engine, "one", wait_seconds=0, hold_seconds_max=5):
        with pytest.raises(LockBusy):
            async with lock(engine, "one", wait_seconds=0, hold_seconds_max=5):
                pass
        async with lock(engine, "another", wait_seconds=0, hold_seconds_max=5):
            pass
    async with lock(engine, "one", wait_seconds=0, hold_seconds_max=5):
        pass


async def test_who_waits_too_long_is_told(engine: AsyncEngine) -> None:
    async with lock(engine, "one", wait_seconds=0, hold_seconds_max=5):
        with pytest.raises(LockBusy):
            async with lock(engine, "one", wait_seconds=0.05, hold_seconds_max=5):
                pass


async def test_a_held_lock_takes_no_connection_of_the_pool(engine: AsyncEngine) -> None:
    async with lock(engine, "one", wait_seconds=0, hold_seconds_max=5):
        async with asyncio.TaskGroup() as tasks:
            for _ in range(4):
                tasks.create_task(ask(engine))
        assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]


async def test_a_holder_that_takes_too_long_is_stopped(engine: AsyncEngine) -> None:
    with pytest.raises(TimeoutError):
        async with lock(engine, "one", wait_seconds=0, hold_seconds_max=0.05):
            await asyncio.Event().wait()
    async with lock(engine, "one", wait_seconds=1, hold_seconds_max=5):
        pass


async def test_the_database_ends_a_lock_whose_holder_is_silent(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the holder's host has vanished, and nobody closes its connection."""
    monkeypatch.setattr(locks, "LETTING_GO_SECONDS", -29.9)

    async def be_silent() -> None:
        async with lock(engine, "one", wait_seconds=30, hold_seconds_max=30.0) as silent:
            async with lock(engine, "one", wait_seconds=20, hold_seconds_max=30.0):
                pass
            await silent.execute(text("SELECT 1"))

    with pytest.raises(DBAPIError):
        await be_silent()


async def ask(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
