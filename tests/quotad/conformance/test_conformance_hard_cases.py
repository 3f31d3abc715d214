"""The hard cases, row by row: repeats, races of replies, and ids that mean something else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from quotad.client.types import Settlement
from quotad.errors import (
    FinalizeMismatch,
    QuotaExceeded,
    ReservationFenced,
    ReservationIdReused,
    ReservationNotFound,
    ReservationNotOpen,
    TooOld,
)
from quotad.values import Basis, Reservation, ReservationState, Scope, Subject
from tests.quotad.conformance.ledger import Key, Ledger, limit

DAY = timedelta(days=1)


def known(reservation: Reservation | None) -> Reservation:
    assert reservation is not None
    return reservation


async def test_reserving_again_answers_the_first_grant_and_holds_once(ledger: Ledger) -> None:
    key = await ledger.key()
    first = await key.reserve("r", 60)
    again = await key.reserve("r", 60)
    assert (first.replayed, again.replayed) == (False, True)
    assert again.reservation == first.reservation
    assert await key.counters() == [(0, 60)]


async def test_reserving_again_after_finalize_is_not_open_and_tells_what_stands(ledger: Ledger) -> None:
    key = await ledger.key()
    await key.reserve("r", 60)
    await key.finalize("r", 25)
    with pytest.raises(ReservationNotOpen) as refusal:
        await key.reserve("r", 60)
    assert known(refusal.value.reservation).state is ReservationState.FINALIZED
    assert known(refusal.value.reservation).actual["total_tokens"] == 25
    assert await key.counters() == [(25, 0)]


async def test_reserving_again_after_release_is_fenced_and_tells_what_stands(ledger: Ledger) -> None:
    key = await ledger.key()
    await key.reserve("r", 60)
    await key.release("r")
    with pytest.raises(ReservationFenced) as refusal:
        await key.reserve("r", 60)
    assert known(refusal.value.reservation).state is ReservationState.RELEASED
    assert await key.counters() == [(0, 0)]


@pytest.mark.parametrize("swept", [True, False])
async def test_reserving_again_after_the_lease_lapsed_is_not_open(ledger: Ledger, *, swept: bool) -> None:
    key = await ledger.key()
    await key.reserve("r", 60)
    await key.lapse("r")
    if swept:
        await key.swept("r")
    with pytest.raises(ReservationNotOpen) as refusal:
        await key.reserve("r", 60)
    assert known(refusal.value.reservation).reservation_id == key.id("r")
    await key.swept("r")
    assert await key.counters() == [(0, 0)]


@pytest.mark.parametrize(
    ("change", "differing"),
    [
        ({"model": "gpt-4"}, "model"),
        ({"amounts": 61}, "amounts"),
        ({"amounts": {"total_tokens": 60, "output_tokens": 1}}, "amounts"),
        ({"min_amounts": {"total_tokens": 1}}, "min_amounts"),
        ({"amounts": 61, "model": "gpt-4"}, "model,amounts"),
    ],
)
async def test_an_id_of_another_request_is_refused_by_the_fields_that_differ(
    ledger: Ledger, change: dict[str, object], differing: str
) -> None:
    key = await ledger.key()
    await key.reserve("r", 60)
    with pytest.raises(ReservationIdReused) as refusal:
        await key.reserve("r", **{"amounts": 60, **change})  # type: ignore[arg-type]
    assert refusal.value.metadata == {"fields": differing}
    assert await key.counters() == [(0, 60)]


async def test_another_keys_reservation_is_never_shown(ledger: Ledger) -> None:
    key, other = await ledger.key(), await ledger.key()
    await key.reserve("r", 60, model="secret-model", labels={"who": "somebody"})
    with pytest.raises(ReservationIdReused) as refusal:
        await key.reserve("r", 60, subject=other.subject)
    assert refusal.value.metadata == {"fields": "api_key"}
    assert "secret-model" not in str(refusal.value)
    assert await other.counters() == [(0, 0)]


async def test_lease_and_labels_are_no_part_of_the_request(ledger: Ledger) -> None:
    key = await ledger.key()
    first = await key.reserve("r", 60, lease=timedelta(minutes=5), labels={"try": "1"})
    again = await key.reserve("r", 60, lease=timedelta(minutes=9), labels={"try": "2"})
    assert again.replayed
    assert (again.reservation.expire_time, again.reservation.labels) == (first.reservation.expire_time, {"try": "1"})


async def test_amounts_are_compared_after_their_defaults(ledger: Ledger) -> None:
    key = await ledger.key()
    await key.reserve("r", {"input_tokens": 20, "output_tokens": 40})
    again = await key.reserve(
        "r", {"input_tokens": 20, "output_tokens": 40, "total_tokens": 60, "requests": 1, "concurrency": 1}
    )
    assert again.replayed


async def test_a_key_is_the_same_by_its_secret_and_by_its_id(ledger: Ledger) -> None:
    key = await ledger.key()
    await key.reserve("r", 60, subject=Subject(api_key=key.secret))
    assert (await key.reserve("r", 60, subject=Subject(api_key_id=key.api_key.api_key_id))).replayed


async def test_a_replay_depends_neither_on_the_keys_state_nor_on_its_limits(ledger: Ledger) -> None:
    key = await ledger.key()
    first = await key.reserve("r", 60)
    await key.edit(disabled=True, limits=(), allowed_models=("other",))
    again = await key.reserve("r", 60)
    assert (again.replayed, again.reservation) == (True, first.reservation)


async def test_a_refusal_stores_nothing_so_that_the_same_id_is_judged_afresh(ledger: Ledger) -> None:
    key = await ledger.key()
    await key.reserve("blocking", 60)
    with pytest.raises(QuotaExceeded):
        await key.reserve("r", 50)
    with pytest.raises(ReservationNotFound):
        await key.read("r")
    await key.release("blocking")
    assert not (await key.reserve("r", 70, model="another-model")).replayed


async def test_finalizing_an_unknown_id_is_not_found(ledger: Ledger) -> None:
    key = await ledger.key()
    with pytest.raises(ReservationNotFound):
        await key.finalize("never", 5)
    assert await key.counters() == [(0, 0)]


async def test_an_unreserved_charge_is_made_once_and_marked(ledger: Ledger) -> None:
    key = await ledger.key()
    charge = unreserved(key, "u", 40, basis=Basis.ESTIMATED)
    first = await charge()
    assert (first.changed, first.replayed) == (True, False)
    assert (first.reservation.state, first.reservation.unreserved) == (ReservationState.FINALIZED, True)
    assert (first.reservation.basis, first.reservation.late) == (Basis.ESTIMATED, False)
    again = await charge()
    assert (again.changed, again.replayed) == (False, True)
    assert await key.counters() == [(40, 0)]


async def test_an_unreserved_charge_asks_for_no_admission(ledger: Ledger) -> None:
    key = await ledger.key(limit(max_value=10))
    await key.reserve("r", 10)
    settlement = await unreserved(key, "u", 40)()
    assert [hold.over_by for hold in settlement.reservation.holds] == [30]
    assert await key.counters() == [(40, 10)]


async def test_an_unreserved_charge_goes_to_the_windows_of_its_requests_beginning(ledger: Ledger) -> None:
    key = await ledger.key(limit(seconds=3600), limit("requests", 5, seconds=86400))
    await ledger.pass_time(4000)
    await unreserved(key, "u", 40, age=timedelta(seconds=1000))()
    assert await key.counters() == [(0, 0), (1, 0)]
    await unreserved(key, "v", 30, age=timedelta(seconds=100))()
    assert await key.counters() == [(30, 0), (2, 0)]


async def test_unreserved_charges_with_other_amounts_are_a_mismatch(ledger: Ledger) -> None:
    key = await ledger.key()
    await unreserved(key, "u", 40)()
    with pytest.raises(FinalizeMismatch):
        await unreserved(key, "u", 41)()
    assert await key.counters() == [(40, 0)]


async def test_an_unreserved_charge_beyond_the_horizon_less_a_day_is_too_old(ledger: Ledger) -> None:
    key = await ledger.key()
    with pytest.raises(TooOld):
        await unreserved(key, "u", 40, age=6 * DAY + timedelta(seconds=1))()
    assert (await unreserved(key, "v", 40, age=6 * DAY)()).changed


async def test_a_reserve_delayed_behind_an_unreserved_charge_is_not_open(ledger: Ledger) -> None:
    key = await ledger.key()
    await unreserved(key, "u", 40)()
    with pytest.raises(ReservationNotOpen):
        await key.reserve("u", 60)
    assert await key.counters() == [(40, 0)]


async def test_an_unreserved_charge_of_a_known_id_settles_what_is_held(ledger: Ledger) -> None:
    key = await ledger.key()
    await key.reserve("r", 60)
    settlement = await unreserved(key, "r", 40)()
    assert (settlement.changed, settlement.reservation.unreserved) == (True, False)
    assert await key.counters() == [(40, 0)]


async def test_releasing_an_unknown_id_leaves_a_tombstone_that_fences_its_reserve(ledger: Ledger) -> None:
    key = await ledger.key()
    tombstone = await key.release("r")
    assert (tombstone.changed, tombstone.reservation.state) == (True, ReservationState.RELEASED)
    assert not (await key.release("r")).changed
    with pytest.raises(ReservationFenced):
        await key.reserve("r", 60)
    assert await key.counters() == [(0, 0)]


async def test_finalizing_behind_a_tombstone_changes_nothing(ledger: Ledger) -> None:
    key = await ledger.key()
    await key.release("r")
    answer = await unreserved(key, "r", 40)()
    assert (answer.changed, answer.reservation.state) == (False, ReservationState.RELEASED)
    assert await key.counters() == [(0, 0)]


async def test_finalizing_again_with_the_same_amounts_charges_once(ledger: Ledger) -> None:
    key = await ledger.key()
    await key.reserve("r", 60)
    first = await key.finalize("r", 25)
    again = await key.finalize("r", 25, basis=Basis.ESTIMATED, labels={"try": "2"})
    assert (again.changed, again.replayed) == (False, True)
    assert again.reservation == first.reservation
    assert await key.counters() == [(25, 0)]


async def test_finalizing_again_with_other_amounts_is_told_the_first(ledger: Ledger) -> None:
    key = await ledger.key()
    await key.reserve("r", 60)
    await key.finalize("r", 25)
    with pytest.raises(FinalizeMismatch) as refusal:
        await key.finalize("r", 26)
    assert known(refusal.value.reservation).actual["total_tokens"] == 25
    assert await key.counters() == [(25, 0)]


async def test_releasing_after_finalize_changes_nothing(ledger: Ledger) -> None:
    key = await ledger.key()
    await key.reserve("r", 60)
    await key.finalize("r", 25)
    answer = await key.release("r")
    assert (answer.changed, answer.reservation.state) == (False, ReservationState.FINALIZED)
    assert await key.counters() == [(25, 0)]


async def test_finalizing_after_release_changes_nothing(ledger: Ledger) -> None:
    key = await ledger.key()
    await key.reserve("r", 60)
    await key.release("r")
    answer = await key.finalize("r", 25)
    assert (answer.changed, answer.reservation.state) == (False, ReservationState.RELEASED)
    assert await key.counters() == [(0, 0)]


async def test_racing_repeats_of_a_reserve_hold_once(ledger: Ledger) -> None:
    key = await ledger.key()
    grants = await asyncio.gather(*(key.reserve("r", 60) for _ in range(6)))
    assert sorted(grant.replayed for grant in grants) == [False] + [True] * 5
    assert await key.counters() == [(0, 60)]


async def test_racing_settlements_have_one_winner(ledger: Ledger) -> None:
    key = await ledger.key()
    await key.reserve("r", 60)
    settlements = await asyncio.gather(*(key.finalize("r", 25) for _ in range(4)), *(key.release("r") for _ in "ab"))
    assert sum(settlement.changed for settlement in settlements) == 1
    states = {settlement.reservation.state for settlement in settlements}
    assert len(states) == 1
    assert await key.counters() == [(25, 0) if states == {ReservationState.FINALIZED} else (0, 0)]


async def test_an_answer_to_a_settlement_names_the_reservation_in_full(ledger: Ledger) -> None:
    key = await ledger.key()
    grant = await key.reserve("r", 60, labels={"who": "tests"})
    settled = (await key.finalize("r", 25, labels={"why": "done"})).reservation
    assert settled.labels == {"who": "tests", "why": "done"}
    assert (settled.requested, settled.reserved) == (grant.reservation.requested, grant.reservation.reserved)
    assert await key.read("r") == settled


async def test_an_unreserved_charge_must_name_its_key(ledger: Ledger) -> None:
    key = await ledger.key()
    with pytest.raises(Exception, match="must name the key"):
        await unreserved(key, "u", 40, scope=Scope(tenant_id="default"))()


def unreserved(key: Key, name: str, amounts: int, **fields: object) -> Callable[[], Awaitable[Settlement]]:
    given: dict[str, object] = {"allow_unreserved": True, "model": "gpt-5", "age": timedelta(), **fields}
    return lambda: key.finalize(name, amounts, **given)
