"""Leases: how long a hold lives, who ends it, and what can still be done afterwards."""

from __future__ import annotations

from datetime import timedelta

import pytest

from quotad.errors import (
    ApiKeyDisabled,
    InvalidRequest,
    QuotaExceeded,
    ReservationNotFound,
    ReservationNotOpen,
)
from quotad.values import ReservationState
from tests.quotad.conformance.ledger import Ledger, limit

DAY_SECONDS = 86_400


async def test_a_lease_is_120_seconds_unless_the_caller_says_otherwise(ledger: Ledger) -> None:
    key = await ledger.key()
    usual = (await key.reserve("a")).reservation
    longer = (await key.reserve("b", lease=timedelta(minutes=30))).reservation
    assert usual.expire_time - usual.create_time == timedelta(seconds=120)
    assert longer.expire_time - longer.create_time == timedelta(minutes=30)


@pytest.mark.parametrize("seconds", [0, 0.999, DAY_SECONDS + 0.001])
async def test_a_lease_is_one_second_to_a_day(ledger: Ledger, seconds: float) -> None:
    key = await ledger.key()
    with pytest.raises(InvalidRequest) as refusal:
        await key.reserve("r", lease=timedelta(seconds=seconds))
    assert refusal.value.field == "lease"
    with pytest.raises(InvalidRequest):
        await key.renew("r", seconds=seconds)


async def test_the_bounds_of_a_lease_are_leases(ledger: Ledger) -> None:
    key = await ledger.key()
    await key.reserve("a", lease=timedelta(seconds=1))
    await key.reserve("b", lease=timedelta(seconds=DAY_SECONDS))


async def test_renewing_makes_a_lease_longer_and_never_shorter(ledger: Ledger) -> None:
    key = await ledger.key()
    first = (await key.reserve("r", lease=timedelta(seconds=60))).reservation
    (longer,) = await key.renew("r", seconds=600)
    assert longer.error is None
    assert longer.state is ReservationState.RESERVED
    assert longer.expire_time is not None
    assert longer.expire_time - first.create_time >= timedelta(seconds=600)
    (same,) = await key.renew("r", seconds=60)
    assert same.expire_time == longer.expire_time
    assert (await key.read("r")).expire_time == longer.expire_time


async def test_no_lease_reaches_beyond_a_day_after_its_reserve(ledger: Ledger) -> None:
    key = await ledger.key(limit(seconds=10 * DAY_SECONDS))
    made = (await key.reserve("r", lease=timedelta(seconds=DAY_SECONDS))).reservation
    await ledger.pass_time(DAY_SECONDS / 2)
    (renewal,) = await key.renew("r", seconds=DAY_SECONDS)
    assert renewal.expire_time == made.create_time + timedelta(days=1)


async def test_a_renewed_hold_outlives_its_first_lease(ledger: Ledger) -> None:
    key = await ledger.key()
    await key.reserve("r", 60, lease=timedelta(seconds=60))
    await key.renew("r", seconds=600)
    await ledger.pass_time(300)
    assert (await key.read("r")).state is ReservationState.RESERVED
    assert not (await key.finalize("r", 25)).reservation.late


async def test_a_lapsed_hold_goes_by_itself_and_is_read_as_expired(ledger: Ledger) -> None:
    key = await ledger.key()
    await key.reserve("r", 60, lease=timedelta(seconds=60))
    await ledger.pass_time(61)
    await key.expired("r")
    assert await key.counters() == [(0, 0)]
    assert (await key.read("r")).state is ReservationState.EXPIRED


async def test_a_lapsed_reservation_is_not_revived_by_renewing(ledger: Ledger) -> None:
    key = await ledger.key()
    await key.reserve("r", 60)
    await key.lapse("r")
    (renewal,) = await key.renew("r", seconds=600)
    assert isinstance(renewal.error, ReservationNotOpen)
    assert renewal.state is ReservationState.EXPIRED
    assert await key.counters() == [(0, 0)]


async def test_a_refusal_is_never_caused_by_a_lapsed_hold(ledger: Ledger) -> None:
    key = await ledger.key()
    await key.reserve("a", 60)
    await key.reserve("b", 40)
    await key.lapse("a")
    await key.reserve("c", 60)
    with pytest.raises(QuotaExceeded):
        await key.reserve("d", 1)
    assert (await key.read("a")).state is ReservationState.EXPIRED
    assert await key.counters() == [(0, 100)]


async def test_a_grant_is_not_clipped_by_a_lapsed_hold(ledger: Ledger) -> None:
    """Room under a minimum that a lapsed hold takes away would be a refusal."""
    key = await ledger.key()
    await key.reserve("a", 100)
    await key.lapse("a")
    grant = await key.reserve("b", 80, min_amounts={"total_tokens": 1})
    assert 1 <= grant.reservation.reserved["total_tokens"] <= 80


@pytest.mark.parametrize("swept", [True, False])
async def test_finalizing_a_lapsed_reservation_charges_it_in_full_and_late(ledger: Ledger, *, swept: bool) -> None:
    key = await ledger.key()
    admitted = (await key.reserve("r", 60)).reservation
    await key.lapse("r")
    if swept:
        await key.swept("r")
    settlement = await key.finalize("r", 75)
    assert (settlement.changed, settlement.reservation.late) == (True, True)
    assert settlement.reservation.state is ReservationState.FINALIZED
    assert settlement.reservation.holds[0].window_start == admitted.holds[0].window_start
    assert await key.counters() == [(75, 0)]


@pytest.mark.parametrize("swept", [True, False])
async def test_releasing_a_lapsed_reservation_returns_what_it_has_and_uses_nothing(
    ledger: Ledger, *, swept: bool
) -> None:
    key = await ledger.key()
    await key.reserve("kept", 10)
    await key.reserve("r", 60)
    await key.lapse("r")
    if swept:
        await key.swept("r")
    settlement = await key.release("r")
    assert (settlement.changed, settlement.reservation.state) == (True, ReservationState.RELEASED)
    assert await key.counters() == [(0, 10)]


async def test_a_late_charge_is_repeated_and_refused_like_any_other(ledger: Ledger) -> None:
    key = await ledger.key()
    await key.reserve("r", 60)
    await key.lapse("r")
    await key.finalize("r", 25)
    again = await key.finalize("r", 25)
    assert (again.replayed, again.reservation.late) == (True, True)
    assert not (await key.release("r")).changed
    assert await key.counters() == [(25, 0)]


async def test_an_outage_of_the_ledger_itself_lapses_no_lease(ledger: Ledger) -> None:
    """Nobody swept for hours: clients get the time of a default lease to renew, and then it is over."""
    key = await ledger.key()
    await key.reserve("a", 30)
    await key.reserve("b", 30)
    async with ledger.away(10_000):
        (renewal,) = await key.renew("a", seconds=600)
        assert (renewal.error, renewal.state) == (None, ReservationState.RESERVED)
        assert (await key.read("b")).state is ReservationState.RESERVED
        assert (await key.reserve("b", 30)).replayed
    assert (await key.read("a")).state is ReservationState.RESERVED
    await key.swept("b")
    assert (await key.finalize("b", 5)).reservation.late


async def test_each_id_of_a_renewal_answers_for_itself(ledger: Ledger) -> None:
    key = await ledger.key()
    for name in ("open", "lapsed", "finalized", "released"):
        await key.reserve(name)
    await key.finalize("finalized", 5)
    await key.release("released")
    await key.lapse("lapsed")
    renewals = await key.renew("open", "lapsed", "finalized", "never", "released", "open")
    assert [type(renewal.error) for renewal in renewals] == [
        type(None),
        ReservationNotOpen,
        ReservationNotOpen,
        ReservationNotFound,
        ReservationNotOpen,
        type(None),
    ]
    assert [renewal.state for renewal in renewals] == [
        ReservationState.RESERVED,
        ReservationState.EXPIRED,
        ReservationState.FINALIZED,
        None,
        ReservationState.RELEASED,
        ReservationState.RESERVED,
    ]
    assert await key.counters() == [(5, 10)]


async def test_a_disabled_keys_renewal_says_so_and_leaves_the_lease(ledger: Ledger) -> None:
    key = await ledger.key()
    made = (await key.reserve("r")).reservation
    await key.edit(disabled=True)
    (renewal,) = await key.renew("r", seconds=600)
    assert isinstance(renewal.error, ApiKeyDisabled)
    assert renewal.state is ReservationState.RESERVED
    assert (await key.read("r")).expire_time == made.expire_time


async def test_a_renewal_names_at_least_one_id(ledger: Ledger) -> None:
    key = await ledger.key()
    with pytest.raises(InvalidRequest) as refusal:
        await key.renew()
    assert refusal.value.field == "reservation_ids"
