from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from prometheus_client import REGISTRY
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from proxy.config import ProxySettings
from proxy.records.request_logs import RequestLogRow
from proxy.request_log import RequestLogWriter
from servicekit.database import create_engine
from tests.proxy.records.rows import a_row
from tests.support.waiting import eventually


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(database_url, connections_max=2, application_name="test request log")
    yield engine
    await engine.dispose()


def writer(engine: AsyncEngine, **settings: Any) -> RequestLogWriter:
    return RequestLogWriter(engine, ProxySettings(**({"request_log_flush_seconds": 0.02} | settings)))


def dropped() -> float:
    return REGISTRY.get_sample_value("proxy_request_log_dropped_rows_total") or 0.0


async def count(database_url: str) -> int:
    connection = await asyncpg.connect(database_url)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM proxy.request_logs"))
    finally:
        await connection.close()


@asynccontextmanager
async def table_locked(database_url: str) -> AsyncIterator[None]:
    """While the block runs, nobody writes a row."""
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE proxy.request_logs IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await connection.close()


async def test_rows_are_written_soon_and_in_batches(engine: AsyncEngine, database_url: str) -> None:
    async with writer(engine, request_log_batch_rows=3) as log:
        for _ in range(10):
            log.note(a_row())

        async def all_there() -> bool:
            return await count(database_url) == 10

        await eventually(all_there)


async def test_what_waits_is_written_before_the_worker_ends(engine: AsyncEngine, database_url: str) -> None:
    async with writer(engine, request_log_flush_seconds=60) as log:
        for _ in range(5):
            log.note(a_row())
    assert await count(database_url) == 5


async def test_rows_beyond_the_bound_are_dropped_and_counted(engine: AsyncEngine, database_url: str) -> None:
    before = dropped()
    async with writer(engine, request_log_rows_max=3, request_log_flush_seconds=60) as log:
        for _ in range(5):
            log.note(a_row())
    assert await count(database_url) == 3
    assert dropped() - before == 2


async def test_a_slow_database_keeps_nobody_waiting(engine: AsyncEngine, database_url: str) -> None:
    async with writer(engine) as log:
        async with table_locked(database_url):
            for _ in range(100):
                log.note(a_row())
                await asyncio.sleep(0)
        await eventually(lambda: not log._rows)
    assert await count(database_url) == 100


async def test_a_database_that_was_away_gets_the_rows_later(engine: AsyncEngine, database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    with capture_logs() as logs:
        async with writer(engine) as log:
            await connection.execute("ALTER TABLE proxy.request_logs RENAME TO elsewhere")
            log.note(a_row())
            await eventually(lambda: "request log not written" in [entry["event"] for entry in logs])
            await connection.execute("ALTER TABLE proxy.elsewhere RENAME TO request_logs")
    await connection.close()
    assert await count(database_url) == 1


async def test_a_row_that_the_database_refuses_keeps_no_other_out(engine: AsyncEngine, database_url: str) -> None:
    before = dropped()
    odd: RequestLogRow = a_row(output_tokens=2**80)
    async with writer(engine) as log:
        for row in (a_row(), odd, a_row()):
            log.note(row)
    assert await count(database_url) == 2
    assert dropped() - before == 1
