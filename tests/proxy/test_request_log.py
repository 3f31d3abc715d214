from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from prometheus_client import REGISTRY
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from proxy.config import ProxySettings
from proxy.records.log_pages import list_request_logs
from proxy.records.reports import Bucket, usage_over_time
from proxy.records.request_logs import ListFilters, RequestLogRow
from proxy.request_log import RequestLogWriter
from servicekit.database import create_engine
from tests.proxy.records.rows import START, a_row
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


async def test_a_burst_of_refusals_is_few_rows_with_a_count(engine: AsyncEngine, database_url: str) -> None:
    """The count in the database is right however many batches it took."""
    async with writer(engine, request_log_refusals_per_second_max=2) as log:
        for part in (5, 20):
            for _ in range(part):
                log.note(a_row(status="rate_limit", denial={"limits": []}, limit_id="limit-1"))
            await eventually(lambda: not log._rows)
    async with engine.begin() as connection:
        rows = (await list_request_logs(connection, ListFilters(), 10, 0)).rows
        [point] = await usage_over_time(connection, START, START + timedelta(days=1), Bucket.DAY)
    assert sorted(row.count for row in rows) == [1, 1, 23]
    assert (point.usage.request_count, point.usage.refused_count) == (25, 25)


async def test_a_shared_row_that_waits_takes_its_own_place(engine: AsyncEngine, database_url: str) -> None:
    before = dropped()
    refusal = {"status": "rate_limit", "denial": {"limits": []}}
    async with writer(engine, request_log_rows_max=1, request_log_refusals_per_second_max=0) as log:
        async with table_locked(database_url):
            for _ in range(100):
                log.note(a_row(**refusal))
                await asyncio.sleep(0)
    assert await count(database_url) == 1
    assert dropped() == before
