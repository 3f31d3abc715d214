"""The check itself: it finds what must not be, and nothing in a sound history."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from quotad.values import Hold, Reservation, ReservationState
from tests.faults.check import Outcome, faults_of, window_of
from tests.faults.history import UNKNOWN, Ask, Call, History, Kind, Told

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = START.timestamp()
HOLD = Hold("limit", "total_tokens", START, None, 60)
OPEN = Reservation(
    reservation_id="r",
    tenant_id="default",
    api_key_id="key",
    model="m",
    state=ReservationState.RESERVED,
    requested={"total_tokens": 60},
    reserved={"total_tokens": 60},
    holds=(HOLD,),
    create_time=START,
    expire_time=START + timedelta(hours=1),
)
CHARGED = replace(
    OPEN, state=ReservationState.FINALIZED, actual={"total_tokens": 25}, holds=(replace(HOLD, charged=25),)
)
GRANT = Call(Ask(Kind.RESERVE, "r", "key", (("total_tokens", 60),)), Told(reservation=OPEN), NOW, NOW + 1)
CHARGE = Call(
    Ask(Kind.FINALIZE, "r", "key", (("total_tokens", 25),)), Told(reservation=CHARGED, changed=True), NOW + 2, NOW + 3
)


def check(
    *calls: Call, ends: tuple[Reservation, ...] = (CHARGED,), held: int = 0, used: int = 25, maximum: int = 100
) -> str:
    """What is found, as one text."""
    reservations = {end.reservation_id: end for end in ends}
    outcome = Outcome(reservations, {window_of(HOLD): (held, used)}, {"limit": maximum}, limits_per_key=1)
    return "; ".join(faults_of(History(list(calls)).by_id(), outcome))


def again(call: Call, seconds: float, **told: object) -> Call:
    """The same call so much later, and what was told otherwise."""
    return replace(
        call,
        began=call.began + seconds,
        ended=call.ended + seconds,
        told=replace(call.told, **told),  # type: ignore[arg-type]
    )


def test_a_sound_history_is_sound() -> None:
    replays = again(GRANT, 0.5, replayed=True), again(CHARGE, 4, changed=False, replayed=True)
    assert check(GRANT, CHARGE, *replays) == ""


def test_a_second_grant_is_found() -> None:
    assert "granted anew twice" in check(GRANT, again(GRANT, 0.5), CHARGE)


def test_a_grant_of_what_was_settled_is_found() -> None:
    assert "granted after it was settled" in check(GRANT, CHARGE, again(GRANT, 9, replayed=True))


def test_a_second_settlement_is_found() -> None:
    assert "settled twice" in check(GRANT, CHARGE, again(CHARGE, 4))


def test_a_charge_that_was_not_asked_for_is_found() -> None:
    other = replace(CHARGE, ask=replace(CHARGE.ask, amounts=(("total_tokens", 24),)))
    assert "was charged {'total_tokens': 25}" in check(GRANT, other)


def test_a_charge_that_the_window_does_not_have_is_found() -> None:
    assert "has used 50, its reservations were charged 25" in check(GRANT, CHARGE, used=50)
    assert "has used 0" in check(GRANT, CHARGE, used=0)


def test_a_hold_that_stays_is_found() -> None:
    assert "still holds 60" in check(GRANT, CHARGE, held=60)
    assert "is still held" in check(GRANT, ends=(OPEN,), used=0)


def test_an_answer_without_a_trace_is_found() -> None:
    assert "left no trace" in check(GRANT, CHARGE, ends=(), used=0)


def test_a_call_that_was_never_resolved_is_found() -> None:
    assert "without an answer" in check(
        GRANT, CHARGE, replace(CHARGE, ask=replace(CHARGE.ask, kind=Kind.RELEASE), told=Told(UNKNOWN))
    )
    assert check(GRANT, again(CHARGE, -0.5, reason=UNKNOWN, reservation=None, changed=False), CHARGE) == ""


def test_a_refusal_without_a_reason_is_found() -> None:
    refused = Told("RESERVATION_NOT_FOUND")
    assert "for no reason" in check(GRANT, CHARGE, replace(CHARGE, told=refused, began=NOW + 5, ended=NOW + 6))


def test_an_admission_that_did_not_fit_is_found() -> None:
    """Another one was open all the while, and both together are more than the limit."""
    other_open = replace(OPEN, reservation_id="s", create_time=START + timedelta(seconds=1))
    other = Call(replace(GRANT.ask, reservation_id="s"), Told(reservation=other_open), NOW + 1.2, NOW + 1.5)
    ended = replace(other_open, state=ReservationState.EXPIRED)
    assert "admitted to" in check(GRANT, other, CHARGE, ends=(CHARGED, ended), maximum=100)
    assert check(GRANT, other, CHARGE, ends=(CHARGED, ended), maximum=120) == ""
