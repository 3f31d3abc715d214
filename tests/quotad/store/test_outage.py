"""A database that goes away, and comes back."""

import asyncio

import asyncpg
import pytest

from quotad.errors import Overloaded, StoreUnavailable, Unavailable
from quotad.store import Store, StoreSettings
from tests.quotad.store.conftest import Bench

TERMINATE = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND application_name = 'quotad'"
)


async def test_lost_connections_lose_no_call_and_charge_once(bench: Bench) -> None:
    """Calls under way when their connections are cut are made again with the same id, or say that they may be."""

    async def pair(number: int) -> None:
        for call in (bench.reserve, bench.finalize):
            while True:
                try:
                    await call(f"r{number}", 1)
                    break
                except Unavailable:
                    await asyncio.sleep(0)

    async def cut() -> None:
        for _ in range(5):
            await bench.execute(TERMINATE)

    async with asyncio.timeout(30):
        await asyncio.gather(*(pair(number) for number in range(40)), cut())
    assert await bench.counters() == (40, 0)


async def test_a_database_that_is_not_there_is_said_at_once() -> None:
    with pytest.raises(StoreUnavailable):
        await Store.open(StoreSettings("postgresql://nobody@127.0.0.1:1/none"))


async def test_a_full_queue_refuses_at_once(bench: Bench) -> None:
    settings = StoreSettings(bench.database_url, connections=1, queue_max=2, statement_timeout_seconds=2)
    store = await Store.open(settings)
    crowded = Bench(store, bench.database_url, bench.key, bench.secret)
    outcomes = await asyncio.gather(*(crowded.reserve(f"r{n}", 1) for n in range(20)), return_exceptions=True)
    await store.close()
    assert any(isinstance(outcome, Overloaded) for outcome in outcomes)
    admitted = sum(not isinstance(outcome, BaseException) for outcome in outcomes)
    assert await bench.counters() == (0, admitted)


async def test_a_row_that_stays_locked_answers_overloaded(bench: Bench) -> None:
    store = await Store.open(StoreSettings(bench.database_url, lock_timeout_seconds=0.2))
    await bench.reserve("first", 1)
    connection = await asyncpg.connect(bench.database_url)
    async with connection.transaction():
        await connection.execute("SELECT FROM quotad.windows FOR UPDATE")
        with pytest.raises(Overloaded):
            await Bench(store, bench.database_url, bench.key, bench.secret).finalize("first", 1)
    await connection.close()
    await store.close()
    assert (await bench.finalize("first", 1)).changed
