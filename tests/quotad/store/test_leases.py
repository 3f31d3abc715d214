"""Leases: renewing, lapsing, sweeping, and outages of the ledger itself."""

import asyncio
from datetime import timedelta

import pytest

from quotad.core.operations import Renew
from quotad.errors import InvalidRequest, QuotaExceeded, ReservationNotFound, ReservationNotOpen
from quotad.store import Store, StoreSettings, sweeper
from quotad.values import ReservationState, Scope
from tests.quotad.store.conftest import Bench


async def test_a_killed_callers_hold_comes_back_by_the_sweeper(bench: Bench) -> None:
    """B1."""
    await bench.reserve("r", 60)
    await bench.lapse("r")
    expired, stopping = asyncio.Event(), asyncio.Event()

    def note(count: int) -> None:
        if count:
            expired.set()

    sweeping = asyncio.create_task(sweeper.run(bench.store.ledger, stopping, note))
    async with asyncio.timeout(10):
        await expired.wait()
    stopping.set()
    await sweeping
    assert await bench.counters() == (0, 0)
    assert (await bench.read("r")).state is ReservationState.EXPIRED


async def test_a_refusal_is_never_caused_by_a_lapsed_hold(bench: Bench) -> None:
    """B1: without any sweeper."""
    await bench.reserve("a", 60)
    await bench.reserve("b", 40)
    await bench.lapse("a")
    await bench.reserve("c", 60)
    assert (await bench.read("a")).state is ReservationState.EXPIRED
    with pytest.raises(QuotaExceeded):
        await bench.reserve("d", 1)


async def test_a_hold_that_another_daemon_expires_meanwhile_refuses_nobody(bench: Bench) -> None:
    """B1: both need the room of one lapsed hold, and either may find it already gone."""
    store = await Store.open(StoreSettings(bench.database_url))
    other = Bench(store, bench.database_url, bench.key, bench.secret)
    for round_ in range(10):
        await bench.reserve(f"lapsed-{round_}", 100)
        await bench.lapse(f"lapsed-{round_}")
        await asyncio.gather(bench.reserve(f"a-{round_}", 50), other.reserve(f"b-{round_}", 50))
        await asyncio.gather(bench.release(f"a-{round_}"), other.release(f"b-{round_}"))
    await store.close()


async def test_renewing_makes_a_lease_longer_and_never_shorter(bench: Bench) -> None:
    first = (await bench.reserve("r", 60, lease=timedelta(seconds=60))).reservation
    (longer,) = await bench.store.ledger.renew(Renew(Scope(), ("r",), timedelta(seconds=300)))
    assert longer.expire_time is not None
    assert longer.expire_time > first.expire_time + timedelta(seconds=200)
    (same,) = await bench.store.ledger.renew(Renew(Scope(), ("r",), timedelta(seconds=1)))
    assert same.expire_time == longer.expire_time


async def test_no_lease_reaches_beyond_a_day(bench: Bench) -> None:
    made = (await bench.reserve("r", 60)).reservation
    await bench.execute(
        "UPDATE quotad.reservations SET create_time = create_time - interval '23 hours 59 minutes',"
        " expire_time = expire_time - interval '1 second'"
    )
    (renewal,) = await bench.store.ledger.renew(Renew(Scope(), ("r",), timedelta(hours=1)))
    assert renewal.expire_time == made.expire_time - timedelta(seconds=1)


async def test_each_id_of_a_renewal_answers_for_itself(bench: Bench) -> None:
    await bench.reserve("open", 10)
    await bench.reserve("lapsed", 10)
    await bench.reserve("settled", 10)
    await bench.finalize("settled", 5)
    await bench.lapse("lapsed")
    answers = await bench.store.ledger.renew(Renew(Scope(), ("open", "lapsed", "settled", "never", "open")))
    assert [type(answer.error) for answer in answers] == [
        type(None),
        ReservationNotOpen,
        ReservationNotOpen,
        ReservationNotFound,
        type(None),
    ]
    assert [answer.state for answer in answers[:4]] == [
        ReservationState.RESERVED,
        ReservationState.EXPIRED,
        ReservationState.FINALIZED,
        None,
    ]
    assert await bench.counters() == (5, 10)


async def test_a_lapsed_reservation_is_not_revived_by_a_repeat(bench: Bench) -> None:
    await bench.reserve("r", 60)
    await bench.lapse("r")
    with pytest.raises(ReservationNotOpen):
        await bench.reserve("r", 60)


async def test_an_outage_of_the_ledger_expires_nobody(bench: Bench) -> None:
    """Nobody swept for an hour: the first look gives every holder the time to renew."""
    await bench.store.ledger.sweep()
    await bench.reserve("r", 60)
    await bench.lapse("r")
    await bench.execute("UPDATE quotad.lease_clock SET last_sweep_time = clock_timestamp() - interval '1 hour'")
    (before,) = await bench.store.ledger.renew(Renew(Scope(), ("r",), timedelta(seconds=2)))
    assert before.error is None
    await bench.lapse("r")
    assert await bench.store.ledger.sweep() == 0
    assert (await bench.read("r")).state is ReservationState.RESERVED


async def test_a_restart_beside_a_living_sweeper_moves_no_floor(bench: Bench) -> None:
    await bench.store.ledger.sweep()
    await bench.store.ledger.sweep()
    await bench.reserve("r", 60)
    await bench.lapse("r")
    assert await bench.store.ledger.sweep() == 1


@pytest.mark.parametrize("lease", [timedelta(), timedelta(milliseconds=999), timedelta(hours=24, seconds=1)])
async def test_a_lease_is_one_second_to_a_day(bench: Bench, lease: timedelta) -> None:
    with pytest.raises(InvalidRequest):
        await bench.reserve("r", 1, lease=lease)
    with pytest.raises(InvalidRequest):
        await bench.store.ledger.renew(Renew(Scope(), ("r",), lease))


async def test_a_sweeper_survives_what_it_did_not_expect(bench: Bench) -> None:
    await bench.execute("ALTER TABLE quotad.lease_clock RENAME TO elsewhere")
    stopping = asyncio.Event()
    sweeping = asyncio.create_task(sweeper.run(bench.store.ledger, stopping))
    await bench.store.ping()
    await asyncio.wait((sweeping,), timeout=1.5)
    assert not sweeping.done()
    stopping.set()
    await sweeping
