"""Finalize and Release: charged exactly once, in the window that admitted."""

import asyncio
from datetime import timedelta

import pytest

from quotad.core.keys import KeyChanges
from quotad.core.operations import Finalize, Renew
from quotad.errors import (
    ApiKeyDisabled,
    FinalizeMismatch,
    InvalidRequest,
    QuotaExceeded,
    ReservationNotFound,
    ReservationNotOpen,
    TooOld,
)
from quotad.values import Basis, LimitsView, ReservationState, Scope, Subject
from tests.quotad.store.conftest import Bench, limit


async def test_the_actual_amount_is_charged_and_the_rest_returned(bench: Bench) -> None:
    """S2, Q3."""
    await bench.reserve("r", 60)
    answer = await bench.finalize("r", 25, limits_view=LimitsView.ALL)
    assert (answer.changed, answer.replayed, answer.reservation.state) == (True, False, ReservationState.FINALIZED)
    assert answer.reservation.actual == {"requests": 1, "concurrency": 0, "total_tokens": 25}
    assert answer.reservation.basis is Basis.REPORTED
    assert [(status.used, status.held) for status in answer.limits] == [(25, 0)]
    assert await bench.counters() == (25, 0)


async def test_an_absent_metric_is_charged_as_held_and_an_explicit_zero_is_not(bench: Bench) -> None:
    await bench.reserve("a", 60)
    assert (await bench.finalize("a")).reservation.basis is Basis.RESERVED
    assert await bench.counters() == (60, 0)
    await bench.reserve("b", 30)
    await bench.finalize("b", 0)
    assert await bench.counters() == (60, 0)


async def test_the_total_is_derived_from_what_is_reported(bench: Bench) -> None:
    await bench.reserve("r", 60)
    answer = await bench.store.ledger.finalize(_finalize("r", {"input_tokens": 11, "output_tokens": 22}))
    assert answer.reservation.actual["total_tokens"] == 33
    assert await bench.counters() == (33, 0)


async def test_what_passes_the_hold_is_charged_in_full_and_told(bench: Bench) -> None:
    await bench.reserve("r", 90)
    answer = await bench.finalize("r", 130, limits_view=LimitsView.VIOLATED)
    assert [hold.over_by for hold in answer.reservation.holds] == [30]
    assert [status.used for status in answer.limits] == [130]
    assert await bench.counters() == (130, 0)


async def test_a_repeat_charges_once(bench: Bench) -> None:
    """S10, Q4."""
    await bench.reserve("r", 60)
    await bench.finalize("r", 25)
    again = await bench.finalize("r", 25)
    assert (again.replayed, again.changed) == (True, False)
    assert await bench.counters() == (25, 0)


async def test_other_amounts_are_told_and_change_nothing(bench: Bench) -> None:
    """S10."""
    await bench.reserve("r", 60)
    await bench.finalize("r", 25)
    with pytest.raises(FinalizeMismatch) as refusal:
        await bench.finalize("r", 26)
    assert refusal.value.reservation is not None
    assert refusal.value.reservation.actual["total_tokens"] == 25
    assert await bench.counters() == (25, 0)


async def test_release_gives_everything_back_once(bench: Bench) -> None:
    """S4, Q6."""
    await bench.reserve("r", 60)
    assert (await bench.release("r")).changed
    assert not (await bench.release("r")).changed
    assert await bench.counters() == (0, 0)


async def test_release_after_finalize_changes_nothing(bench: Bench) -> None:
    """S10."""
    await bench.reserve("r", 60)
    await bench.finalize("r", 25)
    answer = await bench.release("r")
    assert (answer.changed, answer.reservation.state) == (False, ReservationState.FINALIZED)
    assert await bench.counters() == (25, 0)


async def test_finalize_after_release_changes_nothing(bench: Bench) -> None:
    """S10."""
    await bench.reserve("r", 60)
    await bench.release("r")
    answer = await bench.finalize("r", 25)
    assert (answer.changed, answer.reservation.state) == (False, ReservationState.RELEASED)
    assert await bench.counters() == (0, 0)


async def test_racing_settlements_have_one_winner(bench: Bench) -> None:
    """S1, S11."""
    await bench.reserve("r", 60)
    answers = await asyncio.gather(*(bench.finalize("r", 25) for _ in range(6)), bench.release("r"))
    assert sum(answer.changed for answer in answers) == 1
    reservation = await bench.read("r")
    used = 25 if reservation.state is ReservationState.FINALIZED else 0
    assert await bench.counters() == (used, 0)


async def test_an_unknown_reservation_is_not_finalized(bench: Bench) -> None:
    with pytest.raises(ReservationNotFound):
        await bench.finalize("never", 5)


async def test_late_usage_is_charged_to_the_window_that_admitted_it(bench: Bench) -> None:
    """B2: the lease has lapsed and the hold was swept."""
    admitted = await bench.reserve("r", 60)
    await bench.lapse("r")
    assert await bench.store.ledger.sweep() == 1
    assert await bench.counters() == (0, 0)
    answer = await bench.finalize("r", 25)
    assert (answer.changed, answer.reservation.late) == (True, True)
    assert answer.reservation.holds[0].window_start == admitted.reservation.holds[0].window_start
    assert await bench.counters() == (25, 0)


async def test_late_usage_is_charged_even_before_the_sweeper_came(bench: Bench) -> None:
    """B2."""
    await bench.reserve("r", 60)
    await bench.lapse("r")
    assert (await bench.finalize("r", 25)).reservation.late
    assert await bench.counters() == (25, 0)


async def test_a_late_release_never_moves_what_was_used(bench: Bench) -> None:
    for name, swept in (("a", True), ("b", False)):
        await bench.reserve(name, 60)
        await bench.lapse(name)
        if swept:
            await bench.store.ledger.sweep()
        assert (await bench.release(name)).reservation.state is ReservationState.RELEASED
        assert await bench.counters() == (0, 0)


async def test_hold_and_charge_stay_in_the_window_that_admitted(bench: Bench) -> None:
    """B2: the window rolls over between Reserve and Finalize."""
    key, _ = await bench.new_key(limit(max_value=100))
    await bench.reserve("r", 60, subject=Subject(api_key_id=key.api_key_id))
    await bench.execute(
        "UPDATE quotad.windows SET window_start = window_start - interval '1 day', "
        "reset_time = reset_time - interval '1 day' WHERE held = 60"
    )
    await bench.execute(
        "UPDATE quotad.reservations SET "
        "hold_window_starts = ARRAY(SELECT s - interval '1 day' FROM unnest(hold_window_starts) AS s) "
        "WHERE reservation_id = 'r'"
    )
    await bench.finalize("r", 25)
    description = await bench.store.ledger.describe_key(Subject(api_key_id=key.api_key_id))
    assert (description.limits[0].used, description.limits[0].held) == (0, 0)


async def test_an_unreserved_charge_is_made_once_and_fences_its_reserve(bench: Bench) -> None:
    charge = _finalize(
        "u", {"total_tokens": 40}, scope=Scope(api_key_id=bench.key.api_key_id), allow_unreserved=True, model="gpt-5"
    )
    assert (await bench.store.ledger.finalize(charge)).reservation.unreserved
    assert (await bench.store.ledger.finalize(charge)).replayed
    assert await bench.counters() == (40, 0)
    with pytest.raises(ReservationNotOpen):
        await bench.reserve("u", 40)


async def test_an_unreserved_charge_of_long_ago_is_too_old(bench: Bench) -> None:
    scope = Scope(api_key_id=bench.key.api_key_id)
    charge = _finalize("u", {"total_tokens": 40}, scope=scope, allow_unreserved=True, age=timedelta(days=6, seconds=1))
    with pytest.raises(TooOld):
        await bench.store.ledger.finalize(charge)
    with pytest.raises(InvalidRequest):
        await bench.store.ledger.finalize(_finalize("u", {}, allow_unreserved=True))


async def test_a_disabled_key_still_settles_and_no_longer_renews(bench: Bench) -> None:
    await bench.reserve("a", 10)
    await bench.reserve("b", 10)
    await bench.store.keys.update("default", bench.key.api_key_id, KeyChanges(disabled=True), "")
    (renewal,) = await bench.store.ledger.renew(Renew(Scope(), ("a",)))
    assert isinstance(renewal.error, ApiKeyDisabled)
    await bench.finalize("a", 7)
    await bench.release("b")
    assert await bench.counters() == (7, 0)


async def test_a_removed_limit_is_still_settled_and_comes_back_with_its_counters(bench: Bench) -> None:
    await bench.reserve("r", 60)
    await bench.store.keys.update("default", bench.key.api_key_id, KeyChanges(limits=()), "")
    await bench.finalize("r", 25)
    await bench.store.keys.update("default", bench.key.api_key_id, KeyChanges(limits=(limit(max_value=30),)), "")
    assert await bench.counters() == (25, 0)
    with pytest.raises(QuotaExceeded):
        await bench.reserve("s", 6)


def _finalize(reservation_id: str, amounts: dict[str, int], **more: object) -> Finalize:
    return Finalize(**{"scope": Scope(), **more}, reservation_id=reservation_id, amounts=amounts)  # type: ignore[arg-type]
