from __future__ import annotations

import asyncio
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from proxy.records.log_pages import list_request_logs
from proxy.records.reports import Bucket, Usage, UsagePoint, usage_in_all, usage_over_time
from proxy.records.request_logs import ListFilters
from proxy.records.write import insert_request_logs
from tests.proxy.records.rows import START, a_row, many_rows

DAY = START + timedelta(days=1)
RECOUNTED = """
SELECT span_seconds, by_key, bucket_time, api_key_id, account_id, model, status,
    row_count, request_count, total_tokens, cost_microusd
FROM proxy.request_totals
EXCEPT ALL
SELECT seconds, by_key, date_bin(make_interval(secs => seconds), start_time, 'epoch'),
    CASE WHEN by_key THEN api_key_id END, account_id, model, status,
    count(*), sum(count), coalesce(sum(total_tokens), 0)::bigint, coalesce(sum(cost_microusd), 0)::bigint
FROM proxy.request_logs
CROSS JOIN (VALUES (60, false), (3600, false), (86400, false), (3600, true), (86400, true)) AS grain (seconds, by_key)
GROUP BY 1, 2, 3, 4, 5, 6, 7
"""


async def differences(connection: AsyncConnection) -> list[object]:
    """Totals that are not what their rows add up to."""
    return list((await connection.execute(text(RECOUNTED))).all())


async def test_usage_over_time_adds_up_what_rows_say(connection: AsyncConnection) -> None:
    await insert_request_logs(
        connection,
        [
            a_row(cost_microusd=7),
            a_row(start_time=START + timedelta(seconds=59), status="error", total_tokens=None),
            a_row(start_time=START + timedelta(minutes=2), status="quota", count=40, total_tokens=None),
            a_row(start_time=START + timedelta(minutes=3), status="cancelled", cost_microusd=5),
        ],
    )
    points = await usage_over_time(connection, START, DAY, Bucket.MINUTE)
    assert [(point.start_time - START, point.usage.request_count) for point in points] == [
        (timedelta(0), 2),
        (timedelta(minutes=2), 40),
        (timedelta(minutes=3), 1),
    ]
    (hour,) = await usage_over_time(connection, START + timedelta(minutes=59), DAY, Bucket.HOUR)
    assert hour == UsagePoint(
        START,
        Usage(
            request_count=43,
            refused_count=40,
            error_count=1,
            cancelled_count=1,
            input_tokens=40,
            cached_input_tokens=16,
            output_tokens=80,
            total_tokens=60,
            cost_microusd=12,
        ),
    )
    assert await usage_in_all(connection, START, DAY, Bucket.DAY) == hour.usage
    assert await usage_in_all(connection, DAY, DAY, Bucket.DAY) == Usage()


async def test_totals_stay_right_when_batches_are_sent_again_and_counts_grow(connection: AsyncConnection) -> None:
    rows = many_rows(50)
    shared = a_row(status="quota", count=3)
    await insert_request_logs(connection, [*rows[:30], shared])
    await insert_request_logs(connection, [*rows, a_row(request_log_id=shared.request_log_id, status="quota", count=9)])
    await insert_request_logs(connection, [shared])
    assert await differences(connection) == []
    assert (await usage_in_all(connection, START, DAY, Bucket.DAY)).request_count == 59


async def test_totals_stay_right_under_concurrent_writers_of_overlapping_batches(engine: AsyncEngine) -> None:
    """C6: exact whoever writes at the same time, and nobody ends up in a deadlock."""
    rows = many_rows(400)

    async def write(offset: int) -> None:
        for start in range(0, len(rows), 40):
            async with engine.begin() as connection:
                first = (start + 10 * offset) % len(rows)
                await insert_request_logs(connection, rows[first : first + 60])

    async with asyncio.TaskGroup() as writers:
        for offset in range(4):
            writers.create_task(write(offset))
    async with engine.begin() as connection:
        assert await differences(connection) == []
        assert (await list_request_logs(connection, ListFilters(), 1, 0)).total == len(rows)
