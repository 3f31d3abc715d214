"""The benchmark of the request log asks a log like that of proxies, and what it asks is answered."""

from __future__ import annotations

from datetime import UTC, datetime

import asyncpg

from benchmarks.request_logs.measuring import measured
from benchmarks.request_logs.method import Method
from benchmarks.request_logs.questions import key, questions
from benchmarks.request_logs.seeding import fill
from proxy.records.log_pages import list_request_logs
from servicekit.database import create_engine

SMALL = Method(rows=3_000, days=3, rounds=1, baseline_rounds=1)
NOW = datetime(2026, 5, 10, 7, 30, tzinfo=UTC)


async def test_it_fills_a_log_and_measures_every_question(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    await fill(connection, SMALL, NOW)
    indexed = "SELECT count(*) FROM pg_indexes WHERE tablename = 'request_logs_20260508'"
    assert await connection.fetchval(indexed) == 9
    assert await connection.fetchval("SELECT api_key_id FROM proxy.request_logs WHERE api_key_id = $1", key(0))
    await connection.close()
    rows = await measured(database_url, SMALL, NOW)
    assert {row.case for row in rows} == {question.name for question in questions(NOW, "x" * 36)}
    assert all(row.goal and row.value and row.value.median > 0 for row in rows)


async def test_its_totals_are_those_of_its_rows(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    await fill(connection, SMALL, NOW)
    engine = create_engine(database_url, connections_max=1, application_name="test")
    for question in questions(NOW, "no such id"):
        for filters in question.filters:
            if filters.search:
                continue
            async with engine.begin() as asked:
                page = await list_request_logs(asked, filters, 1, 0)
            counted = await connection.fetchval(
                "SELECT count(*) FROM proxy.request_logs WHERE start_time >= $1 AND (cardinality($2::text[]) = 0"
                " OR api_key_id = ANY($2)) AND (cardinality($3::text[]) = 0 OR model = ANY($3))"
                " AND (cardinality($4::text[]) = 0 OR status = ANY($4))",
                *(filters.since, filters.api_key_ids, filters.models, filters.statuses),
            )
            assert page.total == counted
    await engine.dispose()
    await connection.close()
