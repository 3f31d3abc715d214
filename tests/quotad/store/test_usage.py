"""Usage by the hour: exact at every moment, whatever has been rolled up, is being rolled up, or was purged."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from quotad.core.operations import Finalize, Reserve
from quotad.errors import InvalidRequest
from quotad.records import UsageTotal
from quotad.store import Store, StoreSettings
from quotad.store.usage import UsageQuery, hour_after, hour_of
from quotad.values import Scope, Subject
from tests.quotad.store.conftest import Bench

MINUTE = timedelta(minutes=1)


async def charge(bench: Bench, reservation_id: str, tokens: int, model: str = "gpt-5") -> None:
    await bench.reserve(reservation_id, tokens, model=model)
    await bench.finalize(reservation_id, tokens)


async def settled_ago(bench: Bench, by: timedelta, reservation_id: str = "%") -> None:
    await bench.execute(
        "UPDATE quotad.reservations SET settle_time = settle_time - $1::interval"
        " WHERE settle_time IS NOT NULL AND reservation_id LIKE $2",
        by,
        reservation_id,
    )


async def totals(bench: Bench, **filters: str) -> tuple[UsageTotal, ...]:
    now = await bench.store.now()
    query = UsageQuery("default", now - timedelta(days=30), now, **filters)
    return (await bench.store.usage.list(query, 1000, "")).items


async def tokens(bench: Bench) -> int:
    return sum(total.amount for total in await totals(bench, metric="total_tokens"))


async def rolled_up(bench: Bench) -> int:
    connection = await asyncpg.connect(bench.database_url)
    try:
        return int(await connection.fetchval("SELECT coalesce(sum(amount), 0) FROM quotad.usage_totals"))
    finally:
        await connection.close()


async def test_a_settlement_counts_from_its_answer_on(bench: Bench) -> None:
    await bench.reserve("a", 10)
    assert await totals(bench) == ()
    await bench.finalize("a", 7)
    found = {total.metric: total.amount for total in await totals(bench)}
    assert found == {"requests": 1, "total_tokens": 7}


async def test_totals_are_by_hour_key_model_and_metric(bench: Bench) -> None:
    other, _ = await bench.new_key(name="other")
    await charge(bench, "a", 10)
    await charge(bench, "b", 5, model="o3")
    await bench.store.ledger.reserve(Reserve("c", Subject(api_key_id=other.api_key_id), "o3", {"total_tokens": 2}))
    await bench.finalize("c", 2)
    await charge(bench, "d", 4)
    await settled_ago(bench, timedelta(hours=2), "d")
    now = hour_of(await bench.store.now())
    found = [
        (total.hour, total.api_key_id, total.model, total.amount)
        for total in await totals(bench, metric="total_tokens")
    ]
    mine, others = bench.key.api_key_id, other.api_key_id
    assert found == [
        (now - timedelta(hours=2), mine, "gpt-5", 4),
        (now, mine, "gpt-5", 10),
        (now, mine, "o3", 5),
        (now, others, "o3", 2),
    ]
    assert [total.amount for total in await totals(bench, model="o3", metric="total_tokens")] == [5, 2]
    assert [total.amount for total in await totals(bench, api_key_id=others, metric="total_tokens")] == [2]


async def test_a_metric_without_a_limit_counts_and_a_release_does_not(bench: Bench) -> None:
    await bench.reserve("a", 10)
    await bench.store.ledger.finalize(Finalize(Scope(), "a", {"cost_microusd": 12, "total_tokens": 3}))
    await bench.reserve("b", 10)
    await bench.release("b")
    found = {total.metric: total.amount for total in await totals(bench)}
    assert found == {"cost_microusd": 12, "requests": 1, "total_tokens": 3}


async def test_rolling_up_changes_no_total(bench: Bench) -> None:
    for number in range(10):
        await charge(bench, f"old{number}", 3)
    await settled_ago(bench, MINUTE)
    await charge(bench, "new", 4)
    before = await totals(bench)
    await bench.store.retention.roll_up()
    assert await rolled_up(bench) == 0
    assert await bench.store.retention.roll_up() == 10
    assert (await totals(bench), await rolled_up(bench)) == (before, 40)
    assert await bench.store.retention.roll_up() == 0


async def test_a_row_that_commits_late_is_not_missed(bench: Bench) -> None:
    """Its settlement is older than rows that were rolled up before it could be seen."""
    await charge(bench, "late", 5)
    await charge(bench, "early", 7)
    await settled_ago(bench, 2 * MINUTE, "early")
    connection = await asyncpg.connect(bench.database_url)
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute(
        "UPDATE quotad.reservations SET settle_time = clock_timestamp() - interval '1 minute'"
        " WHERE reservation_id = 'late'"
    )
    for _ in range(3):
        await bench.store.retention.roll_up()
    assert await rolled_up(bench) == 0
    await transaction.commit()
    await connection.close()
    for _ in range(2):
        await bench.store.retention.roll_up()
    assert await tokens(bench) == 12
    assert await rolled_up(bench) == 14


async def test_totals_stay_exact_while_they_are_rolled_up_and_purged(bench: Bench) -> None:
    settings = StoreSettings(bench.database_url, horizon_seconds=0.001, purge_batch_rows=5)
    stores = [await Store.open(settings) for _ in range(2)]
    for number in range(60):
        await charge(bench, f"r{number}", 1)
    await settled_ago(bench, MINUTE)
    await bench.store.retention.roll_up()
    done = asyncio.Event()

    async def read() -> set[int]:
        seen = set()
        while not done.is_set():
            seen.add(await tokens(bench))
        return seen

    reading = asyncio.create_task(read())
    for _ in range(3):
        await asyncio.gather(*(store.retention.roll_up() for store in stores))
        await asyncio.gather(*(store.retention.purge() for store in stores))
    done.set()
    assert await reading == {60}
    await asyncio.gather(*(store.close() for store in stores))
    connection = await asyncpg.connect(bench.database_url)
    assert await connection.fetchval("SELECT count(*) FROM quotad.reservations") == 0
    await connection.close()


async def test_a_restored_database_counts_on(bench: Bench) -> None:
    """What was noted on another server says nothing here, and must not stop the roll-up for good."""
    await charge(bench, "a", 5)
    await settled_ago(bench, MINUTE)
    await bench.store.retention.roll_up()
    await bench.execute("UPDATE quotad.usage_marks SET pending_xid = '9999999999'")
    for _ in range(2):
        await bench.store.retention.roll_up()
    assert (await tokens(bench), await rolled_up(bench)) == (5, 6)


async def test_totals_are_read_page_by_page(bench: Bench) -> None:
    for number in range(5):
        await charge(bench, f"r{number}", 1, model=f"m{number}")
    now = await bench.store.now()
    query = UsageQuery("default", now - MINUTE, now, metric="requests")
    models: list[str] = []
    token = ""
    for size in (2, 2, 1):
        page = await bench.store.usage.list(query, 2, token)
        token = page.next_page_token
        assert len(page.items) == size
        models += [total.model for total in page.items]
    assert (models, token) == ([f"m{number}" for number in range(5)], "")


@pytest.mark.parametrize("token", ["x", "bm90IGpzb24=", "WzFd", "WyJhIiwgImIiLCAiYyIsICJkIl0="])
async def test_a_foreign_page_token_is_refused(bench: Bench, token: str) -> None:
    now = await bench.store.now()
    with pytest.raises(InvalidRequest):
        await bench.store.usage.list(UsageQuery("default", now, now), 10, token)


def test_the_hours_of_a_time_are_utcs() -> None:
    five = datetime.fromisoformat("2030-01-31T10:30:00+05:30")
    assert hour_of(five) == hour_after(five) == datetime(2030, 1, 31, 5, tzinfo=UTC)
    assert hour_after(five + MINUTE) == datetime(2030, 1, 31, 6, tzinfo=UTC)
    with pytest.raises(InvalidRequest):
        hour_after(datetime.max.replace(tzinfo=UTC))
