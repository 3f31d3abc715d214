"""Windows: what rolls, what stays where it was admitted, and a clock that moves in both directions."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from quotad.errors import QuotaExceeded
from quotad.values import Limit, ReservationState, Window, WindowKind
from tests.quotad.conformance.ledger import HOUR, Ledger, lifetime, limit

DAY_LEASE = timedelta(hours=24)
TWO_DAYS = 2 * 86_400


async def test_a_window_that_has_ended_refuses_nobody(ledger: Ledger) -> None:
    key = await ledger.key()
    await key.reserve("a", 100)
    await key.finalize("a", 100)
    with pytest.raises(QuotaExceeded):
        await key.reserve("b", 1)
    await ledger.pass_time(HOUR)
    await key.reserve("b", 100)
    assert await key.counters() == [(0, 100)]


async def test_the_windows_of_one_limit_follow_each_other_from_its_creation_on(ledger: Ledger) -> None:
    key = await ledger.key()
    (first,) = (await key.reserve("a")).limits
    await ledger.pass_time(HOUR * 2.5)
    (third,) = (await key.reserve("b")).limits
    assert third.window_start - first.window_start == timedelta(hours=2)
    assert third.reset_time == third.window_start + timedelta(hours=1)


async def test_hold_and_charge_stay_in_the_window_that_admitted(ledger: Ledger) -> None:
    key = await ledger.key()
    admitted = (await key.reserve("r", 60, lease=DAY_LEASE)).reservation
    await ledger.pass_time(HOUR)
    assert await key.counters() == [(0, 0)]
    await key.reserve("s", 100, lease=DAY_LEASE)
    settled = (await key.finalize("r", 75)).reservation
    assert settled.holds[0].window_start == admitted.holds[0].window_start
    assert (settled.holds[0].charged, settled.late) == (75, False)
    assert await key.counters() == [(0, 100)]


async def test_the_clock_after_the_locks_decides_in_which_window_a_request_counts(ledger: Ledger) -> None:
    """The window ends while the request waits for its row."""
    key = await ledger.key()
    await key.reserve("a", 60, lease=DAY_LEASE)
    async with key.windows_locked():
        waiting = asyncio.create_task(key.reserve("b", 30, lease=DAY_LEASE))
        await ledger.someone_waits()
        await ledger.pass_time(HOUR)
    grant = await waiting
    (status,) = grant.limits
    assert status.window_start <= grant.server_time
    assert grant.reservation.holds[0].window_start == status.window_start
    assert await key.counters() == [(0, 30)]


async def test_nobody_is_refused_for_a_window_that_has_ended_meanwhile(ledger: Ledger) -> None:
    key = await ledger.key()
    await key.reserve("a", 100, lease=DAY_LEASE)
    await key.finalize("a", 90)
    async with key.windows_locked():
        waiting = [asyncio.create_task(key.reserve(name, 10, lease=DAY_LEASE)) for name in ("b", "c")]
        await ledger.someone_waits()
        await ledger.pass_time(HOUR)
    await asyncio.gather(*waiting)
    assert await key.counters() == [(0, 20)]


async def test_a_hold_of_a_window_that_has_ended_is_released_there(ledger: Ledger) -> None:
    key = await ledger.key()
    await key.reserve("r", 60, lease=DAY_LEASE)
    await ledger.pass_time(HOUR)
    await key.reserve("s", 100, lease=DAY_LEASE)
    assert (await key.release("r")).changed
    assert await key.counters() == [(0, 100)]


async def test_a_late_charge_after_the_roll_goes_to_the_window_that_admitted(ledger: Ledger) -> None:
    key = await ledger.key()
    admitted = (await key.reserve("r", 60)).reservation
    await ledger.pass_time(HOUR * 3)
    await key.swept("r")
    settled = (await key.finalize("r", 75)).reservation
    assert settled.late
    assert settled.holds[0].window_start == admitted.holds[0].window_start
    assert await key.counters() == [(0, 0)]


async def test_over_by_is_about_the_window_that_admitted(ledger: Ledger) -> None:
    key = await ledger.key()
    await key.reserve("a", 60, lease=DAY_LEASE)
    await key.reserve("b", 40, lease=DAY_LEASE)
    await ledger.pass_time(HOUR)
    assert (await key.finalize("a", 80)).reservation.holds[0].over_by == 0
    assert (await key.finalize("b", 50)).reservation.holds[0].over_by == 30


async def test_a_repeat_after_the_roll_is_the_first_grant(ledger: Ledger) -> None:
    key = await ledger.key()
    first = await key.reserve("r", 60, lease=DAY_LEASE)
    await ledger.pass_time(HOUR)
    again = await key.reserve("r", 60, lease=DAY_LEASE)
    assert (again.replayed, again.reservation) == (True, first.reservation)
    assert await key.counters() == [(0, 0)]


async def test_a_lifetime_window_never_rolls(ledger: Ledger) -> None:
    key = await ledger.key(lifetime("total_tokens", 100))
    await key.reserve("a", 60)
    await key.finalize("a", 60)
    await ledger.pass_time(TWO_DAYS)
    with pytest.raises(QuotaExceeded):
        await key.reserve("b", 41)
    (status,) = await key.statuses()
    assert (status.used, status.reset_time) == (60, None)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Seoul", "America/New_York"])
@pytest.mark.parametrize(
    "kind", [WindowKind.MINUTE, WindowKind.HOUR, WindowKind.DAY, WindowKind.WEEK, WindowKind.MONTH]
)
async def test_a_calendar_window_contains_the_moment_that_decides(ledger: Ledger, kind: WindowKind, zone: str) -> None:
    key = await ledger.key(Limit("total_tokens", Window(kind, time_zone=zone), 100))
    grant = await key.reserve("r", 60)
    (status,) = grant.limits
    assert status.reset_time is not None
    assert status.window_start <= grant.server_time < status.reset_time
    assert grant.reservation.holds[0].window_start == status.window_start


async def test_a_calendar_day_ends_at_its_reset(ledger: Ledger) -> None:
    key = await ledger.key(Limit("total_tokens", Window(WindowKind.DAY, time_zone="Europe/Berlin"), 100))
    (today,) = (await key.reserve("a", 100)).limits
    assert today.reset_time is not None
    await ledger.pass_time(TWO_DAYS)
    (later,) = (await key.reserve("b", 100)).limits
    assert later.window_start >= today.reset_time


async def test_when_the_clock_goes_back_an_earlier_window_is_used_again(ledger: Ledger) -> None:
    key = await ledger.key(limit(seconds=HOUR))
    await key.reserve("a", 60, lease=DAY_LEASE)
    await key.finalize("a", 60)
    await ledger.pass_time(HOUR)
    await key.reserve("b", 100, lease=DAY_LEASE)
    await ledger.pass_time(-HOUR)
    assert await key.counters() == [(60, 0)]
    with pytest.raises(QuotaExceeded):
        await key.reserve("c", 41)
    await key.reserve("c", 40, lease=DAY_LEASE)
    await key.finalize("b", 90)
    await ledger.pass_time(HOUR)
    assert await key.counters() == [(90, 0)]


async def test_when_the_clock_goes_back_open_reservations_can_be_renewed_and_settled(ledger: Ledger) -> None:
    key = await ledger.key(limit(seconds=TWO_DAYS))
    await ledger.pass_time(600)
    made = (await key.reserve("r", 60)).reservation
    await ledger.pass_time(-600)
    (renewal,) = await key.renew("r", seconds=60)
    assert (renewal.error, renewal.state) == (None, ReservationState.RESERVED)
    assert renewal.expire_time == made.expire_time
    await key.finalize("r", 25)
    assert await key.counters() == [(25, 0)]


async def test_a_limit_counts_though_the_clock_went_back_to_before_it_was_made(ledger: Ledger) -> None:
    key = await ledger.key(lifetime("total_tokens", 100), limit(), limit("requests", 5, seconds=600))
    await ledger.pass_time(-120)
    await key.reserve("a", 60)
    await key.finalize("a", 25)
    with pytest.raises(QuotaExceeded):
        await key.reserve("b", 80)
    await ledger.pass_time(120)
    assert (await key.counters())[0] == (25, 0)


async def test_a_refusal_never_names_a_time_in_the_past(ledger: Ledger) -> None:
    key = await ledger.key(limit(max_value=10))
    await key.reserve("a", 10)
    await key.finalize("a", 10)
    await ledger.pass_time(HOUR - 30)
    with pytest.raises(QuotaExceeded) as refusal:
        await key.reserve("r", 1)
    assert refusal.value.denial.retry_after is not None
    assert timedelta() <= refusal.value.denial.retry_after <= timedelta(seconds=30)
