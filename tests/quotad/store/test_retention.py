"""How long the ledger keeps things, and that nothing is lost or counted twice when it lets go of them."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from quotad.core.operations import Finalize
from quotad.errors import ReservationNotFound
from quotad.store import Store, StoreSettings, retention
from quotad.store.retention import Lags, Watch
from quotad.store.usage import UsageQuery
from quotad.values import ReservationState, Scope, WindowKind
from tests.quotad.store.conftest import Bench, limit
from tests.support.waiting import eventually

HORIZON = timedelta(days=7)
IGNORED = Watch(rolled_up=lambda _: None, purged=lambda _: None, lags=lambda _: None)


async def age(bench: Bench, by: timedelta, reservation_id: str = "%") -> None:
    """Make reservations older, as if that time had passed since."""
    await bench.execute(
        "UPDATE quotad.reservations SET create_time = create_time - $1::interval, settle_time = settle_time - $1,"
        " expire_time = expire_time - $1 WHERE reservation_id LIKE $2",
        by,
        reservation_id,
    )


async def roll_up(bench: Bench) -> int:
    """The first turn only notes the moment up to which a later one may go."""
    first = await bench.store.retention.roll_up()
    return first + await bench.store.retention.roll_up()


async def count(bench: Bench, table: str) -> int:
    connection = await asyncpg.connect(bench.database_url)
    try:
        return int(await connection.fetchval(f"SELECT count(*) FROM quotad.{table}"))
    finally:
        await connection.close()


async def used_purged(bench: Bench) -> int:
    connection = await asyncpg.connect(bench.database_url)
    try:
        return int(await connection.fetchval("SELECT sum(used_purged) FROM quotad.windows"))
    finally:
        await connection.close()


async def used(bench: Bench) -> int:
    now = await bench.store.now()
    query = UsageQuery("default", now - timedelta(days=60), now, metric="total_tokens")
    page = await bench.store.usage.list(query, 1000, "")
    return sum(total.amount for total in page.items)


async def test_a_settled_reservation_is_purged_after_its_horizon(bench: Bench) -> None:
    await bench.reserve("old", 60)
    await bench.finalize("old", 25)
    await bench.reserve("released", 5)
    await bench.release("released")
    await age(bench, HORIZON + timedelta(minutes=1))
    await bench.reserve("young", 10)
    await bench.finalize("young", 7)
    await age(bench, HORIZON - timedelta(minutes=1), "young")
    await roll_up(bench)
    assert await bench.store.retention.purge() == 2
    with pytest.raises(ReservationNotFound):
        await bench.read("old")
    assert (await bench.read("young")).state is ReservationState.FINALIZED


async def test_what_a_purged_reservation_charged_stays_used(bench: Bench) -> None:
    await bench.reserve("r", 60)
    await bench.finalize("r", 25)
    await age(bench, HORIZON + timedelta(minutes=1))
    await roll_up(bench)
    await bench.store.retention.purge()
    assert (await bench.counters(), await used_purged(bench)) == ((25, 0), 25)


async def test_the_horizon_counts_from_settlement(bench: Bench) -> None:
    await bench.reserve("r", 60, lease=timedelta(hours=24))
    await age(bench, HORIZON + timedelta(hours=1))
    await bench.finalize("r", 25)
    await roll_up(bench)
    assert await bench.store.retention.purge() == 0


async def test_an_expired_reservation_is_kept_for_the_horizon_from_its_expiry(bench: Bench) -> None:
    await bench.reserve("old", 10)
    await bench.reserve("new", 10)
    await bench.lapse("old")
    await bench.lapse("new")
    await bench.store.ledger.sweep()
    await age(bench, HORIZON + timedelta(minutes=1), "old")
    assert await bench.store.retention.purge() == 1
    assert (await bench.finalize("new", 5)).reservation.late


async def test_an_outage_shortens_no_expired_reservations_horizon(bench: Bench) -> None:
    """Its lease ended with the grace that the outage gave, not when it was due."""
    await bench.store.ledger.sweep()
    await bench.reserve("r", 10)
    await age(bench, HORIZON + timedelta(days=1), "r")
    await bench.execute(
        "UPDATE quotad.lease_clock SET lease_floor = clock_timestamp() - interval '1 second',"
        " last_sweep_time = clock_timestamp()"
    )
    assert await bench.store.ledger.sweep() == 1
    assert await bench.store.retention.purge() == 0
    assert (await bench.finalize("r", 5)).reservation.late


async def test_open_reservations_are_never_purged(bench: Bench) -> None:
    await bench.reserve("r", 10)
    await age(bench, timedelta(days=30))
    await roll_up(bench)
    assert await bench.store.retention.purge() == 0


async def test_nothing_is_purged_before_it_is_in_the_totals(bench: Bench) -> None:
    await bench.reserve("r", 60)
    await bench.finalize("r", 25)
    await age(bench, HORIZON + timedelta(minutes=1))
    assert await bench.store.retention.purge() == 0
    await roll_up(bench)
    assert await bench.store.retention.purge() == 1
    assert await used(bench) == 25


async def test_a_row_that_somebody_holds_is_left_for_later(bench: Bench) -> None:
    for name in ("a", "b"):
        await bench.reserve(name, 10)
        await bench.finalize(name, 5)
    await age(bench, HORIZON + timedelta(minutes=1))
    await roll_up(bench)
    connection = await asyncpg.connect(bench.database_url)
    async with connection.transaction():
        await connection.execute("SELECT FROM quotad.reservations WHERE reservation_id = 'a' FOR UPDATE")
        assert await bench.store.retention.purge() == 1
    await connection.close()
    assert await bench.store.retention.purge() == 1


async def test_several_daemons_may_purge_at_once(bench: Bench) -> None:
    """More rows than a batch, two daemons: each row goes once, and its charge is added once."""
    for number in range(40):
        await bench.reserve(f"r{number}", 1)
        await bench.finalize(f"r{number}", 1)
    await age(bench, HORIZON + timedelta(minutes=1))
    settings = StoreSettings(bench.database_url, purge_batch_rows=7)
    stores = [await Store.open(settings) for _ in range(3)]
    await asyncio.gather(*(store.retention.roll_up() for store in stores))
    await asyncio.gather(*(store.retention.roll_up() for store in stores))
    purged = await asyncio.gather(*(store.retention.purge() for store in stores))
    await asyncio.gather(*(store.close() for store in stores))
    assert sum(purged) == 40
    assert (await bench.counters(), await used_purged(bench), await used(bench)) == ((40, 0), 40, 40)


async def test_purging_while_the_key_is_at_work_conserves(bench: Bench) -> None:
    for number in range(30):
        await bench.reserve(f"old{number}", 1)
        await bench.finalize(f"old{number}", 1)
    await age(bench, HORIZON + timedelta(minutes=1))
    await roll_up(bench)
    store = await Store.open(StoreSettings(bench.database_url, purge_batch_rows=3))

    async def work(number: int) -> None:
        await bench.reserve(f"new{number}", 1)
        await bench.finalize(f"new{number}", 1)

    await asyncio.gather(store.retention.purge(), *(work(number) for number in range(30)))
    await store.close()
    assert (await bench.counters(), await used_purged(bench), await used(bench)) == ((60, 0), 30, 60)


async def test_a_tombstone_lives_for_an_hour(bench: Bench) -> None:
    await bench.release("old")
    await age(bench, timedelta(minutes=61))
    await bench.release("new")
    await bench.store.retention.tidy()
    assert (await bench.read("new")).state is ReservationState.RELEASED
    with pytest.raises(ReservationNotFound):
        await bench.read("old")


async def test_a_tenant_has_so_many_tombstones_and_no_more(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "TOMBSTONES_MAX", 3)
    for number in range(5):
        await bench.release(f"r{number}")
    await bench.store.retention.tidy()
    assert await count(bench, "reservations") == 3
    assert (await bench.read("r4")).state is ReservationState.RELEASED


async def test_an_ended_window_goes_when_nothing_refers_to_it(bench: Bench) -> None:
    await bench.reserve("r", 60)
    await bench.finalize("r", 25)
    await end_windows(bench)
    await bench.store.retention.tidy()
    assert await count(bench, "windows") == 1
    await age(bench, HORIZON + timedelta(days=2))
    await roll_up(bench)
    await bench.store.retention.purge()
    await bench.store.retention.tidy()
    assert await count(bench, "windows") == 0


async def test_a_window_stays_while_an_expired_reservation_may_be_charged_to_it(bench: Bench) -> None:
    await bench.reserve("r", 60)
    await bench.lapse("r")
    await bench.store.ledger.sweep()
    await bench.execute("UPDATE quotad.reservations SET create_time = create_time - interval '10 days'")
    await end_windows(bench)
    await bench.store.retention.tidy()
    assert await count(bench, "windows") == 1
    assert (await bench.finalize("r", 30)).reservation.late


async def test_a_window_that_never_ends_stays(bench: Bench) -> None:
    await bench.new_key(limit("requests", 5, WindowKind.LIFETIME))
    await bench.reserve("r", 60)
    await bench.release("r")
    await bench.execute("UPDATE quotad.windows SET reset_time = NULL")
    await bench.store.retention.tidy()
    assert await count(bench, "windows") == 1


async def test_totals_and_refusals_are_kept_as_the_settings_say(bench: Bench) -> None:
    await bench.execute(
        "INSERT INTO quotad.usage_totals"
        " SELECT 'default', clock_timestamp() - days * interval '1 day', 'k', 'm', 'x', 1"
        " FROM unnest('{399, 401}'::int[]) AS days"
    )
    await bench.execute(
        "INSERT INTO quotad.refusals SELECT 'default', clock_timestamp() - days * interval '1 day', 'k', $1, 'enforce',"
        " 1, '{}' FROM unnest('{29, 31}'::int[]) AS days",
        bench.key.limits[0].limit_id,
    )
    assert await bench.store.retention.tidy() == 2
    assert (await count(bench, "usage_totals"), await count(bench, "refusals")) == (1, 1)


async def test_the_loops_do_all_of_it_and_stop(bench: Bench) -> None:
    await bench.reserve("r", 60)
    await bench.finalize("r", 25)
    await age(bench, HORIZON + timedelta(minutes=1))
    await bench.store.retention.roll_up()
    seen: list[Lags] = []
    purged: list[int] = []
    stopping = asyncio.Event()
    watch = Watch(rolled_up=lambda _: None, purged=purged.append, lags=seen.append)
    loops = asyncio.create_task(bench.store.retention.run(stopping, watch))
    await eventually(lambda: sum(purged) == 1)
    stopping.set()
    await loops
    assert seen[0].roll_up == 0
    assert await bench.counters() == (25, 0)


async def test_the_loops_outlive_what_they_did_not_expect(bench: Bench) -> None:
    await bench.execute("ALTER TABLE quotad.usage_marks RENAME TO elsewhere")
    stopping = asyncio.Event()
    loops = asyncio.create_task(bench.store.retention.run(stopping, IGNORED))
    await bench.store.ping()
    await asyncio.wait((loops,), timeout=1.5)
    assert not loops.done()
    stopping.set()
    await loops


async def test_one_tenants_defect_keeps_no_others_rows(bench: Bench) -> None:
    await bench.reserve("r", 60)
    await bench.finalize("r", 25)
    await age(bench, HORIZON + timedelta(minutes=1))
    await bench.execute("INSERT INTO quotad.tenants (tenant_id) VALUES ('broken')")
    await bench.execute(
        "INSERT INTO quotad.reservations (tenant_id, reservation_id, state, api_key_id, actual, settle_time, basis)"
        " VALUES ('broken', 'x', 'finalized', 'k', '{\"a\": \"no number\"}', clock_timestamp() - interval '8 days',"
        " 'reported')"
    )
    await roll_up(bench)
    assert await bench.store.retention.purge() == 1
    await bench.execute("DELETE FROM quotad.reservations WHERE tenant_id = 'broken'")


async def test_a_lag_says_how_far_the_loops_are_behind(bench: Bench) -> None:
    await bench.reserve("r", 60)
    await bench.finalize("r", 25)
    assert (await bench.store.retention.lags()).purge == 0
    await age(bench, HORIZON + timedelta(minutes=1))
    lags = await bench.store.retention.lags()
    assert lags.roll_up > HORIZON.total_seconds()
    assert lags.purge == pytest.approx(60, abs=10)


async def test_a_purged_id_may_still_be_charged_unreserved(bench: Bench) -> None:
    await bench.reserve("r", 60)
    await bench.finalize("r", 25)
    await age(bench, HORIZON + timedelta(minutes=1))
    await roll_up(bench)
    await bench.store.retention.purge()
    scope = Scope(api_key_id=bench.key.api_key_id)
    answer = await bench.store.ledger.finalize(
        Finalize(scope, "r", {"total_tokens": 3}, allow_unreserved=True, model="m", age=timedelta(minutes=1))
    )
    assert answer.reservation.unreserved


async def end_windows(bench: Bench) -> None:
    """Move all windows, and the holds in them, to ten days ago."""
    await bench.execute(
        "UPDATE quotad.windows SET window_start = window_start - interval '10 days',"
        " reset_time = reset_time - interval '10 days'"
    )
    await bench.execute(
        "UPDATE quotad.reservations SET hold_window_starts ="
        " ARRAY(SELECT start - interval '10 days' FROM unnest(hold_window_starts) AS start)"
    )
