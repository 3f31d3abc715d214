"""The check after the faults: a small account of what the answers say, independent of the ledger's own code.

It goes by the callers' answers alone, and compares them with what each reservation ended as and what windows hold.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from quotad.values import Hold, Reservation, ReservationState
from tests.faults.history import UNKNOWN, Ask, Call, Kind

UNNAMED = {"requests": 1, "concurrency": 0}
"""What is charged of a metric that callers here never name."""
WindowId = tuple[str, float]
"""A limit's id and the start of one of its windows."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where everything stands at the end."""

    reservations: Mapping[str, Reservation]
    """By id; an id without one left no trace."""
    windows: Mapping[WindowId, tuple[int, int]]
    """`held` and `used`."""
    maximums: Mapping[str, int]
    """By limit."""
    limits_per_key: int


def faults_of(calls: Mapping[str, Sequence[Call]], outcome: Outcome) -> list[str]:
    """Everything that must not be; empty for a sound ledger."""
    found = [
        f"{reservation_id}: {fault}"
        for reservation_id, its in calls.items()
        for fault in _faults_of_one(its, outcome.reservations.get(reservation_id), outcome)
    ]
    return [*found, *_faults_of_windows(outcome), *_overrun(calls, outcome)]


def _faults_of_one(calls: Sequence[Call], end: Reservation | None, outcome: Outcome) -> Iterator[str]:
    if any(call.told.reason == UNKNOWN for call in calls if call not in _resolved(calls)):
        yield "a call is still without an answer"
    if end is None:
        if any(call.is_granted or call.is_settled for call in calls):
            yield "was answered OK and left no trace"
        return
    yield from _faults_of_grants(calls, end, outcome)
    yield from _faults_of_settling(calls, end)
    yield from (fault for call in calls for fault in _fault_of_refusal(call, calls, end))


def _resolved(calls: Sequence[Call]) -> list[Call]:
    """Calls without an answer of whose kind and content another one has one; renewals need none."""
    definite = {call.ask for call in calls if call.told.reason != UNKNOWN}
    return [call for call in calls if call.ask in definite or call.ask.kind is Kind.RENEW]


def _faults_of_grants(calls: Sequence[Call], end: Reservation, outcome: Outcome) -> Iterator[str]:
    grants = [call for call in calls if call.is_granted]
    if sum(not call.told.replayed for call in grants) > 1:
        yield "was granted anew twice"
    for call in grants:
        told = _told(call)
        if (told.create_time, told.reserved, told.api_key_id) != (end.create_time, end.reserved, end.api_key_id):
            yield f"was granted {told.reserved} at {told.create_time} and stands as {end.reserved} at {end.create_time}"
        if dict(call.ask.amounts).items() - told.reserved.items():
            yield f"asked for {call.ask.amounts} and was granted {told.reserved}"
        if len(told.holds) != outcome.limits_per_key:
            yield f"holds in {len(told.holds)} limits"
        if any(before.is_settled and before.ended < call.began for before in calls):
            yield "was granted after it was settled"
    if end.state is ReservationState.RESERVED:
        yield "is still held"


def _faults_of_settling(calls: Sequence[Call], end: Reservation) -> Iterator[str]:
    settled = [call for call in calls if call.is_settled]
    if sum(call.told.changed for call in settled) > 1:
        yield "was settled twice"
    for call in settled:
        told = _told(call)
        if (told.state, told.actual) != (end.state, end.actual):
            yield f"was told to be {told.state} with {told.actual} and ended {end.state} with {end.actual}"
    if end.state is ReservationState.FINALIZED:
        yield from _faults_of_charge([call.ask for call in calls if call.ask.kind is Kind.FINALIZE], end)
    elif any(hold.charged for hold in end.holds):
        yield f"is {end.state} and was charged"
    if end.state is ReservationState.RELEASED and not any(call.ask.kind is Kind.RELEASE for call in calls):
        yield "was released and nobody asked for it"
    if end.state is ReservationState.EXPIRED and settled:
        yield "expired and was settled"


def _faults_of_charge(asks: Sequence[Ask], end: Reservation) -> Iterator[str]:
    charged = {hold.metric: hold.charged for hold in end.holds}
    wanted = [{metric: (UNNAMED | dict(ask.amounts)).get(metric) for metric in charged} for ask in asks]
    if charged not in wanted:
        yield f"was charged {charged}, and asked were {wanted}"


def _fault_of_refusal(call: Call, calls: Sequence[Call], end: Reservation) -> Iterator[str]:
    """A refusal must have a reason that the other calls give."""
    granted_before = any(other.is_granted and other.ended < call.began for other in calls)
    released = any(other.ask.kind is Kind.RELEASE and other.began < call.ended for other in calls)
    match call.ask.kind, call.told.reason:
        case _, "" | "UNKNOWN" | "RESERVATION_NOT_OPEN":
            return
        case Kind.RESERVE, "QUOTA_EXCEEDED" if not granted_before:
            return
        case Kind.RESERVE, "RESERVATION_FENCED" if released:
            return
        case Kind.RESERVE, "RESERVATION_ID_REUSED" if dict(call.ask.amounts).items() - end.requested.items():
            return
        case Kind.FINALIZE, "FINALIZE_MISMATCH" if dict(call.ask.amounts).items() - end.actual.items():
            return
        case ((Kind.FINALIZE | Kind.RENEW), "RESERVATION_NOT_FOUND") if not granted_before:
            return
        case _:
            yield f"{call.ask.kind} was refused with {call.told.reason} for no reason: {call.told.message}"


def _faults_of_windows(outcome: Outcome) -> Iterator[str]:
    charged: dict[WindowId, int] = {}
    excess: dict[WindowId, int] = {}
    for reservation in outcome.reservations.values():
        for hold in reservation.holds:
            charged[window_of(hold)] = charged.get(window_of(hold), 0) + hold.charged
            over = hold.charged if reservation.late or reservation.unreserved else max(0, hold.charged - hold.held)
            excess[window_of(hold)] = excess.get(window_of(hold), 0) + over
    for window in charged.keys() | outcome.windows.keys():
        held, used = outcome.windows.get(window, (0, 0))
        if held:
            yield f"window {window} still holds {held}"
        if used != charged.get(window, 0):
            yield f"window {window} has used {used}, its reservations were charged {charged.get(window, 0)}"
        if used > outcome.maximums[window[0]] + excess.get(window, 0):
            yield f"window {window} has used {used} of {outcome.maximums[window[0]]}, late {excess.get(window, 0)}"


def window_of(hold: Hold) -> WindowId:
    return hold.limit_id, hold.window_start.timestamp()


@dataclass(frozen=True, slots=True)
class _Presence:
    """What one reservation certainly took from a window, by its callers' clocks: never more than it did."""

    held: int
    held_from: float
    held_until: float
    charged: int
    charged_from: float


def _overrun(calls: Mapping[str, Sequence[Call]], outcome: Outcome) -> Iterator[str]:
    """At each grant, what was certainly there and the grant itself must fit."""
    present: dict[WindowId, list[_Presence]] = {}
    grants: dict[WindowId, list[tuple[Call, int]]] = {}
    for its in calls.values():
        first = min((call for call in its if call.is_granted), key=lambda call: call.ended, default=None)
        if first is None:
            continue
        for hold in _told(first).holds:
            present.setdefault(window_of(hold), []).append(_presence(its, first, hold))
            if not first.told.replayed:
                grants.setdefault(window_of(hold), []).append((first, hold.held))
    for window, admitted in grants.items():
        there = _There(present[window])
        for call, amount in admitted:
            if there.throughout(call.began, call.ended) + amount > outcome.maximums[window[0]]:
                yield f"{call.ask.reservation_id} was admitted to {window} where it did not fit"


def _presence(calls: Sequence[Call], first: Call, hold: Hold) -> _Presence:
    settling = [call for call in calls if call.ask.kind in {Kind.FINALIZE, Kind.RELEASE}]
    charges = [call for call in settling if call.is_settled and _told(call).state is ReservationState.FINALIZED]
    until = min([_told(first).expire_time.timestamp(), *(call.began for call in settling)])
    charge = min(charges, key=lambda call: call.ended, default=None)
    if charge is None:
        return _Presence(hold.held, first.ended, until, 0, float("inf"))
    (charged,) = (other.charged for other in _told(charge).holds if window_of(other) == window_of(hold))
    return _Presence(hold.held, first.ended, until, charged, charge.ended)


class _There:
    """Sums over the presences of one window."""

    def __init__(self, presences: Iterable[_Presence]) -> None:
        held = [there for there in presences if there.held_from < there.held_until]
        self._from = _Steps((there.held_from, there.held) for there in held)
        self._until = _Steps((there.held_until, there.held) for there in held)
        self._charged = _Steps((there.charged_from, there.charged) for there in presences)

    def throughout(self, began: float, ended: float) -> int:
        """At least this much was there from `began` to `ended`, beside what began in between."""
        return max(0, self._from.before(began) - self._until.before(ended)) + self._charged.before(began)


class _Steps:
    def __init__(self, steps: Iterable[tuple[float, int]]) -> None:
        ordered = sorted(steps)
        self._times = [time for time, _ in ordered]
        self._sums = [0, *accumulate(amount for _, amount in ordered)]

    def before(self, time: float) -> int:
        return self._sums[bisect_left(self._times, time)]


def _told(call: Call) -> Reservation:
    assert call.told.reservation is not None
    return call.told.reservation
