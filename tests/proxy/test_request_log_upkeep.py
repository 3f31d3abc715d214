from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from proxy.records.write import insert_request_logs
from proxy.request_log_upkeep import RequestLogUpkeep
from servicekit.background import in_background
from servicekit.database import create_engine
from tests.proxy.records.rows import START, a_row
from tests.support.daemons import someone_waits
from tests.support.waiting import eventually

DAYS = """
SELECT right(inhrelid::regclass::text, 8) FROM pg_inherits
WHERE inhparent = 'proxy.request_logs'::regclass AND inhrelid::regclass::text LIKE '%_202605%' ORDER BY 1
"""
"""Those of the tests; a migration makes the days of its own time."""


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(database_url, connections_max=2, application_name="test upkeep")
    yield engine
    await engine.dispose()


async def days(database_url: str) -> list[str]:
    connection = await asyncpg.connect(database_url)
    try:
        return [row[0] for row in await connection.fetch(DAYS)]
    finally:
        await connection.close()


async def test_days_are_made_ahead_and_go_when_their_time_is_over(engine: AsyncEngine, database_url: str) -> None:
    upkeep = RequestLogUpkeep(engine, lambda: 2)
    await upkeep.keep(START.date())
    assert await days(database_url) == ["20260501", "20260502", "20260503", "20260504"]
    await upkeep.keep(START.date() + timedelta(days=3))
    assert await days(database_url) == ["20260502", "20260503", "20260504", "20260505", "20260506", "20260507"]


async def test_what_the_operator_keeps_may_change(engine: AsyncEngine, database_url: str) -> None:
    kept = [30]
    upkeep = RequestLogUpkeep(engine, lambda: kept[0])
    await upkeep.keep(START.date())
    kept[0] = 1
    await upkeep.keep(START.date() + timedelta(days=3))
    assert (await days(database_url))[0] == "20260503"


async def test_a_worker_keeps_the_days_from_its_start(engine: AsyncEngine, database_url: str) -> None:
    await RequestLogUpkeep(engine, lambda: 30).keep(START.date())
    async with in_background(RequestLogUpkeep(engine, lambda: 30).run(), "upkeep"):

        async def gone() -> bool:
            return await days(database_url) == []

        await eventually(gone)


async def test_a_day_is_made_while_others_write(engine: AsyncEngine, database_url: str) -> None:
    """A writer waits for it, and its row then lies in the day."""
    maker = await asyncpg.connect(database_url)
    making = maker.transaction()
    await making.start()
    await maker.execute("SELECT proxy.make_log_day_v1('2026-05-01')")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(write(engine))
        await someone_waits(database_url)
        await making.commit()
    assert await maker.fetchval("SELECT count(*) FROM proxy.request_logs_20260501") == 1
    await maker.close()


async def test_a_busy_log_is_not_waited_for(engine: AsyncEngine, database_url: str) -> None:
    """Nobody else is kept waiting behind the one who waits."""
    writer = await asyncpg.connect(database_url)
    async with writer.transaction():
        await writer.execute("LOCK TABLE proxy.request_logs IN ROW EXCLUSIVE MODE")
        with pytest.raises(DBAPIError):
            await RequestLogUpkeep(engine, lambda: 30).keep(START.date())
    await writer.close()
    assert await days(database_url) == []


async def write(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await insert_request_logs(connection, [a_row()])
