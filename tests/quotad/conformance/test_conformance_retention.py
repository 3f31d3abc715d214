"""What is left of a reservation when its horizon has passed, or when an operator ends it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest

from quotad.errors import ReservationFenced, ReservationNotFound, TooOld
from quotad.store import Store, StoreSettings
from quotad.values import ReservationState
from tests.quotad.conformance.conftest import Server
from tests.quotad.conformance.ledger import Key, Ledger, lifetime, limit

HORIZON_SECONDS = 7 * 86_400
HOUR_SECONDS = 3600

Purge = Callable[[], Awaitable[None]]


@pytest.fixture
async def purge(server: Server) -> AsyncIterator[Purge]:
    """Do now what a daemon does every few seconds."""
    store = await Store.open(StoreSettings(server.database_url))

    async def purge() -> None:
        await store.retention.roll_up()  # the first turn notes the moment up to which the next one may go
        await store.retention.roll_up()
        await store.retention.purge()
        await store.retention.tidy()

    yield purge
    await store.close()


async def settled(ledger: Ledger) -> Key:
    """A key with 25 used and nothing held, by reservations in each settled state."""
    key = await ledger.key(lifetime("total_tokens", 100), limit("requests", 5))
    for name in ("finalized", "released", "expired"):
        await key.reserve(name, 30)
    await key.finalize("finalized", 25)
    await key.release("released")
    await key.lapse("expired")
    await key.swept("expired")
    return key


async def test_inside_the_horizon_every_repeat_is_recognised(ledger: Ledger, purge: Purge) -> None:
    key = await settled(ledger)
    await ledger.pass_time(HORIZON_SECONDS - HOUR_SECONDS)
    await purge()
    assert (await key.finalize("finalized", 25)).replayed
    assert not (await key.finalize("released", 25)).changed
    assert (await key.finalize("expired", 5)).reservation.late
    assert (await key.counters())[0] == (30, 0)


async def test_beyond_the_horizon_an_id_is_unknown_and_what_it_charged_stays(ledger: Ledger, purge: Purge) -> None:
    key = await settled(ledger)
    await ledger.pass_time(HORIZON_SECONDS + 2 * HOUR_SECONDS)
    await purge()
    for name in ("finalized", "released", "expired"):
        with pytest.raises(ReservationNotFound):
            await key.finalize(name, 25)
        with pytest.raises(ReservationNotFound):
            await key.read(name)
    age = timedelta(seconds=HORIZON_SECONDS)
    with pytest.raises(TooOld):
        await key.finalize("expired", 25, allow_unreserved=True, model="gpt-5", age=age)
    assert (await key.counters())[0] == (25, 0)
    assert not (await key.reserve("finalized", 75)).replayed
    assert (await key.counters())[0] == (25, 75)


async def test_a_lapsed_reservation_is_kept_for_the_horizon_from_the_end_of_its_lease(
    ledger: Ledger, purge: Purge
) -> None:
    key = await ledger.key(lifetime("total_tokens", 100))
    await key.reserve("r", 60, lease=timedelta(hours=24))
    await ledger.pass_time(HORIZON_SECONDS + 12 * HOUR_SECONDS)
    await purge()
    assert (await key.read("r")).state is ReservationState.EXPIRED
    assert (await key.finalize("r", 25)).reservation.late
    assert await key.counters() == [(25, 0)]


async def test_a_tombstone_fences_for_an_hour(ledger: Ledger, purge: Purge) -> None:
    key = await ledger.key()
    await key.release("r")
    await ledger.pass_time(HOUR_SECONDS - 60)
    await purge()
    with pytest.raises(ReservationFenced):
        await key.reserve("r")
    await ledger.pass_time(120)
    await purge()
    assert not (await key.reserve("r")).replayed


async def test_usage_reported_after_a_forced_release_is_charged_late(ledger: Ledger) -> None:
    key = await ledger.key()
    await key.reserve("r", 60)
    forced = await ledger.admin.force_release(key.id("r"), reason="conformance")
    assert (forced.changed, forced.reservation.state) == (True, ReservationState.EXPIRED)
    assert not (await ledger.admin.force_release(key.id("r"), reason="conformance")).changed
    assert await key.counters() == [(0, 0)]
    assert (await key.finalize("r", 25)).reservation.late
    assert await key.counters() == [(25, 0)]
