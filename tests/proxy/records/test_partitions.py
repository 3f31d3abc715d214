"""The request log in days: how they are made, how they go, and how an older log becomes one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta

import pytest
from alembic import command
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from proxy.records.log_days import drop_days, make_days
from proxy.records.log_options import request_log_options
from proxy.records.log_pages import list_request_logs
from proxy.records.request_logs import FacetFilters, ListFilters
from proxy.records.write import insert_request_logs
from servicekit.database import create_engine
from servicekit.migrations import Migrations, migrate
from tests.proxy.records.rows import START, a_row, many_rows
from tests.support.postgres import Server

MIGRATIONS = Migrations("proxy")
OLD_ROW = """
INSERT INTO proxy.request_logs (request_log_id, request_id, path, model, stream, status, http_status, settlement,
    start_time, duration_ms, api_key_id, api_key_name, total_tokens)
SELECT gen_random_uuid(), 'request-' || n, '/v1/responses', 'gpt-5.1', false, 'ok', 200, 'finalized',
    timestamptz '2026-05-01T00:00:00Z' + n * interval '5 hours', 1, 'key-1', 'key one', 7
FROM generate_series(1, 12) AS n
"""


async def partitions(connection: AsyncConnection) -> dict[str, int]:
    """How many rows lie in each partition of the log, and in their totals."""
    found = await connection.execute(
        text(
            "SELECT tableoid::regclass::text AS name, count(*) AS rows FROM proxy.request_logs GROUP BY 1"
            " UNION ALL SELECT tableoid::regclass::text, sum(row_count) FROM proxy.request_totals"
            " WHERE span_seconds = 86400 AND by_key GROUP BY 1"
        )
    )
    return {row.name.removeprefix("proxy."): int(row.rows) for row in found}


async def total(connection: AsyncConnection, filters: ListFilters | None = None) -> int:
    return (await list_request_logs(connection, filters or ListFilters(), 1, 0)).total


async def test_a_row_lies_with_its_totals_in_the_partition_of_its_day(connection: AsyncConnection) -> None:
    await make_days(connection, START.date(), 2)
    late = datetime(2026, 5, 2, 23, 59, 59, 999_999, tzinfo=UTC)
    await insert_request_logs(connection, [a_row(), a_row(start_time=late), a_row(start_time=late)])
    assert await partitions(connection) == {
        "request_logs_20260501": 1,
        "request_logs_20260502": 2,
        "request_totals_20260501": 1,
        "request_totals_20260502": 2,
    }


async def test_a_row_without_a_day_is_kept_and_moves_when_its_day_is_made(connection: AsyncConnection) -> None:
    row = a_row(denial={"limits": []}, cost_microusd=5)
    await insert_request_logs(connection, [row, a_row(start_time=START + timedelta(days=1))])
    assert await partitions(connection) == {"request_logs_default": 2, "request_totals_default": 2}
    await make_days(connection, START.date(), 1)
    assert (await partitions(connection))["request_logs_20260501"] == 1
    assert (await partitions(connection))["request_totals_default"] == 1
    page = await list_request_logs(connection, ListFilters(until=START + timedelta(days=1)), 5, 0)
    assert page.rows == (row,)
    assert await total(connection) == 2


async def test_days_that_are_there_are_left_alone(connection: AsyncConnection) -> None:
    assert await make_days(connection, date(2026, 5, 1), 3) == 3
    assert await make_days(connection, date(2026, 5, 2), 3) == 1


async def test_old_days_go_with_their_totals_and_nothing_else_does(connection: AsyncConnection) -> None:
    await make_days(connection, date(2026, 5, 2), 2)
    rows = [a_row(start_time=START + timedelta(days=day, hours=12)) for day in range(4)]
    await insert_request_logs(connection, rows)
    assert await drop_days(connection, date(2026, 5, 3)) == 1
    assert await partitions(connection) == {
        "request_logs_20260503": 1,
        "request_totals_20260503": 1,
        "request_logs_default": 1,
        "request_totals_default": 1,
    }
    page = await list_request_logs(connection, ListFilters(), 10, 0)
    assert (page.total, [row.start_time.day for row in page.rows]) == (2, [4, 3])


async def test_totals_agree_with_rows_over_several_days(connection: AsyncConnection) -> None:
    """C6: whatever the two ends of the range are."""
    await make_days(connection, START.date(), 2)
    rows = [
        a_row(start_time=START + timedelta(minutes=7 * number, seconds=number), model=f"model-{number % 3}")
        for number in range(600)
    ]
    await insert_request_logs(connection, rows)
    for start, end in ((0, 0), (0.5, 71), (3, 3.01), (5.5, 30), (24, 48), (23.99, 24.01), (11, 47.9), (60, 2)):
        since, until = START + timedelta(hours=start), START + timedelta(hours=end)
        for filters in (
            ListFilters(since=since, until=until),
            ListFilters(since=since, models=("model-1",)),
            ListFilters(until=until, api_key_ids=("key-1",)),
        ):
            expected = [
                row
                for row in reversed(rows)
                if (filters.since is None or filters.since <= row.start_time)
                and (filters.until is None or row.start_time < filters.until)
                and (not filters.models or row.model in filters.models)
            ]
            page = await list_request_logs(connection, filters, 3, 10)
            assert (list(page.rows), page.total) == (expected[10:13], len(expected))


@pytest.fixture
async def older(postgres_server: Server) -> AsyncIterator[AsyncEngine]:
    """A database in the state before the log was kept in days."""
    name = "test_older_log"
    postgres_server.execute(f"CREATE DATABASE {name}")
    engine = create_engine(postgres_server.url_of(name), connections_max=2, application_name="test")
    try:
        async with engine.begin() as connection:
            await connection.execute(text("CREATE SCHEMA proxy"))
            await connection.run_sync(upgrade_to, "0001")
            await connection.execute(text(OLD_ROW))
        yield engine
    finally:
        await engine.dispose()
        postgres_server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def upgrade_to(connection: Connection, version: str) -> None:
    config = MIGRATIONS.config()
    config.attributes["connection"] = connection
    command.upgrade(config, version)


async def test_an_older_log_is_carried_over_with_its_totals(older: AsyncEngine) -> None:
    await migrate(older.url.set(drivername="postgresql").render_as_string(hide_password=False), MIGRATIONS)
    async with older.begin() as connection:
        assert await partitions(connection) == {
            "request_logs_20260501": 4,
            "request_logs_20260502": 5,
            "request_logs_20260503": 3,
            "request_totals_20260501": 4,
            "request_totals_20260502": 5,
            "request_totals_20260503": 3,
        }
        page = await list_request_logs(connection, ListFilters(search="request-12"), 5, 0)
        assert [(row.request_id, row.total_tokens, row.count) for row in page.rows] == [("request-12", 7, 1)]
        assert (await request_log_options(connection, FacetFilters())).api_keys == (("key-1", "key one"),)
        await insert_request_logs(connection, many_rows(3))
        assert await total(connection) == 15
