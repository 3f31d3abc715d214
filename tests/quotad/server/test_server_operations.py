from __future__ import annotations

import pytest

from quotad import errors as e
from quotad.client.types import Basis, LimitsView, Reservation, ReservationState, Scope
from tests.support.daemons import Daemon, limit
from tests.support.waiting import eventually


async def state_of(daemon: Daemon, reservation_id: str) -> Reservation:
    async with daemon.data() as client:
        return await client.get_reservation(reservation_id)


async def test_a_request_is_held_charged_and_read_over_the_wire(daemon: Daemon) -> None:
    """U1: Reserve, Finalize and Release are keyed by the reservation id."""
    key = await daemon.create_key(limit(), limit("requests", 5, "gpt-5*"))
    async with daemon.data() as client:
        grant = await client.reserve(
            "one",
            api_key=key.secret,
            model="gpt-5-mini",
            amounts={"input_tokens": 100, "output_tokens": 200},
            labels={"who": "tests"},
        )
        assert [(status.limit.metric, status.held) for status in grant.limits] == [
            ("total_tokens", 300),
            ("requests", 1),
        ]
        assert grant.reservation.labels == {"who": "tests"}

        settlement = await client.finalize("one", amounts={"input_tokens": 10, "output_tokens": 5})
        assert settlement.reservation.state is ReservationState.FINALIZED
        assert settlement.reservation.basis is Basis.REPORTED
        assert [(hold.metric, hold.held, hold.charged) for hold in settlement.reservation.holds] == [
            ("total_tokens", 300, 15),
            ("requests", 1, 1),
        ]
        assert await client.get_reservation("one") == settlement.reservation

        description = await client.describe_key(api_key=key.secret)
        assert [(status.used, status.held) for status in description.limits] == [(15, 0), (1, 0)]
        assert description.api_key.name == "demo"


async def test_repeats_are_told_as_repeats(daemon: Daemon) -> None:
    """Q4: a repeat answers what the first call did."""
    key = await daemon.create_key()
    async with daemon.data() as client:
        for replayed in (False, True):
            grant = await client.reserve("one", api_key=key.secret, model="m", amounts={"total_tokens": 10})
            assert grant.replayed is replayed
        for replayed in (False, True):
            settlement = await client.finalize("one", amounts={"total_tokens": 7})
            assert (settlement.replayed, settlement.changed) == (replayed, not replayed)
        with pytest.raises(e.FinalizeMismatch) as mismatch:
            await client.finalize("one", amounts={"total_tokens": 8})
        assert mismatch.value.reservation is not None
        assert mismatch.value.reservation.actual["total_tokens"] == 7


async def test_a_release_that_overtakes_its_reserve_fences_it(daemon: Daemon) -> None:
    """B3: the id is made before Reserve, so a lost reply costs nothing."""
    key = await daemon.create_key()
    async with daemon.data() as client:
        scope = Scope(api_key=key.secret)
        assert (await client.release("late", scope=scope)).reservation.state is ReservationState.RELEASED
        with pytest.raises(e.ReservationFenced):
            await client.reserve("late", api_key=key.secret, model="m", amounts={"total_tokens": 1})


async def test_a_refusal_clips_nothing_and_names_the_limit(daemon: Daemon) -> None:
    """B7: the refusal says which limit, how full it is, and when to come back."""
    key = await daemon.create_key(limit(max_value=100))
    async with daemon.data() as client:
        await client.reserve("one", api_key=key.secret, model="m", amounts={"total_tokens": 60})
        with pytest.raises(e.QuotaExceeded) as refused:
            await client.reserve("two", api_key=key.secret, model="m", amounts={"total_tokens": 60})
        (violation,) = refused.value.denial.violations
        assert (violation.requested, violation.status.held, violation.status.available) == (60, 60, 40)
        assert violation.status.owner.api_key_id == key.api_key.api_key_id
        with pytest.raises(e.RequestExceedsLimit) as never:
            await client.reserve("three", api_key=key.secret, model="m", amounts={"total_tokens": 101})
        assert never.value.denial.never_fits


async def test_a_smaller_grant_is_told(daemon: Daemon) -> None:
    key = await daemon.create_key(limit(max_value=100))
    async with daemon.data() as client:
        grant = await client.reserve(
            "one", api_key=key.secret, model="m", amounts={"total_tokens": 500}, min_amounts={"total_tokens": 50}
        )
    assert grant.reservation.requested["total_tokens"] == 500
    assert grant.reservation.reserved["total_tokens"] == 100


async def test_renewals_succeed_and_fail_one_by_one(daemon: Daemon) -> None:
    """B1: a lease is made longer; an item that cannot be renewed carries its own error."""
    key = await daemon.create_key()
    async with daemon.data() as client:
        grant = await client.reserve(
            "open", api_key=key.secret, model="m", amounts={"total_tokens": 1}, lease_seconds=60
        )
        await client.reserve("done", api_key=key.secret, model="m", amounts={"total_tokens": 1})
        await client.release("done")
        renewed, done, unknown = await client.renew(["open", "done", "nobody"], lease_seconds=600)
    assert renewed.expire_time is not None
    assert renewed.expire_time > grant.reservation.expire_time
    assert renewed.error is None
    assert (done.state, type(done.error)) == (ReservationState.RELEASED, e.ReservationNotOpen)
    assert (unknown.state, type(unknown.error)) == (None, e.ReservationNotFound)


async def test_a_lapsed_hold_comes_back_by_itself_and_is_charged_late(daemon: Daemon) -> None:
    """B1, B2: the sweeper gives the room back; usage reported later is still charged."""
    key = await daemon.create_key()
    async with daemon.data() as client:
        await client.reserve("one", api_key=key.secret, model="m", amounts={"total_tokens": 10}, lease_seconds=1)

        async def is_expired() -> bool:
            return (await client.get_reservation("one")).state is ReservationState.EXPIRED

        await eventually(is_expired)
        settlement = await client.finalize("one", amounts={"total_tokens": 9})
    assert settlement.reservation.late
    assert settlement.reservation.state is ReservationState.FINALIZED


async def test_usage_without_a_reservation_is_charged_to_the_key(daemon: Daemon) -> None:
    key = await daemon.create_key()
    scope = Scope(api_key_id=key.api_key.api_key_id)
    async with daemon.data() as client:
        with pytest.raises(e.ReservationNotFound):
            await client.finalize("never", amounts={"total_tokens": 5}, scope=scope)
        settlement = await client.finalize(
            "never", amounts={"total_tokens": 5}, scope=scope, allow_unreserved=True, model="m", age_seconds=2.5
        )
        with pytest.raises(e.TooOld):
            await client.finalize(
                "ancient", amounts={}, scope=scope, allow_unreserved=True, model="m", age_seconds=30 * 86400
            )
    assert settlement.reservation.unreserved


async def test_an_answer_lists_the_limits_that_were_asked_for(daemon: Daemon) -> None:
    key = await daemon.create_key()
    async with daemon.data() as client:
        grant = await client.reserve(
            "one", api_key=key.secret, model="m", amounts={"total_tokens": 1}, limits_view=LimitsView.NONE
        )
    assert grant.limits == ()
