"""The one place that admits, clips, settles and expires.

`plan(state, operations)` is a function of locked rows, configuration and clock. It answers every operation, in the
order given, and says what has to be written; the store verifies and writes it, or plans again on fresh rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from quotad.core.draft import Draft
from quotad.core.operations import (
    Bound,
    Expire,
    Finalize,
    PlanAnswer,
    Read,
    Release,
    RenewOne,
    Reserve,
)
from quotad.core.reserving import reserve
from quotad.core.settling import expire, finalize, moment_of, read, release, renew
from quotad.core.state import LedgerState, WindowKey, Writes
from quotad.errors import QuotaError
from quotad.values import Reservation, ReservationState


@dataclass(frozen=True, slots=True)
class Plan:
    """What to write and what to answer; a refused operation writes nothing."""

    writes: Writes
    answers: tuple[PlanAnswer, ...]


def plan(state: LedgerState, operations: Sequence[Bound]) -> Plan:
    """Decide the operations in the order given. `state` must hold every window of `windows_needed`."""
    draft = Draft(state)
    answers = tuple([_answer(draft, bound) for bound in operations])
    return Plan(draft.writes(), answers)


def windows_needed(state: LedgerState, operations: Sequence[Bound]) -> dict[WindowKey, datetime | None]:
    """The window rows, with their resets, that `plan` will look at for these operations at `state.now`."""
    needed: dict[WindowKey, datetime | None] = {}
    for bound in operations:
        found = state.reservations.get(bound.reservation_id)
        if found is None:
            needed |= _new_windows(state, bound)
        elif _touches_holds(state, bound, found):
            needed |= {hold.window: hold.reset_time for hold in found.holds}
    return needed


def _new_windows(state: LedgerState, bound: Bound) -> dict[WindowKey, datetime | None]:
    if not isinstance(bound.operation, Reserve | Finalize) or not bound.api_key_id:
        return {}
    moment = moment_of(state, bound.operation)
    placed = state.keys[bound.api_key_id].placed(bound.operation.model, moment)
    return {one.key: one.reset_time for one in placed}


def _touches_holds(state: LedgerState, bound: Bound, found: Reservation) -> bool:
    match bound.operation:
        case Finalize() | Release() | Reserve():
            return True
        case RenewOne() | Read():
            return found.state is ReservationState.RESERVED and state.is_lapsed(found)
        case Expire(forced=forced):
            return found.state is ReservationState.RESERVED and (forced or state.is_lapsed(found))
        case _:
            assert_never(bound.operation)


def _answer(draft: Draft, bound: Bound) -> PlanAnswer:
    operation = bound.operation
    try:
        match operation:
            case Reserve():
                return reserve(draft, operation, bound.api_key_id, bound.secret_expire_time)
            case Finalize():
                return finalize(draft, operation, bound.api_key_id)
            case Release():
                return release(draft, operation)
            case RenewOne():
                return renew(draft, operation)
            case Read():
                return read(draft, operation)
            case Expire():
                return expire(draft, operation)
            case _:
                assert_never(operation)
    except QuotaError as refusal:
        return refusal
