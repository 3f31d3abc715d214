"""What a settlement charges, and how a reservation moves between its states.

RESERVED -> FINALIZED | RELEASED | EXPIRED        EXPIRED -> FINALIZED | RELEASED
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from quotad.core.admission import token_total
from quotad.core.operations import Finalize
from quotad.core.state import CONCURRENCY, TOTAL_TOKENS
from quotad.values import Amounts, Basis, Hold, Reservation, ReservationState

LEASE_TOTAL_MAX = timedelta(hours=24)
"""From its creation on, a reservation can be renewed for a day at most."""

OPEN = frozenset({ReservationState.RESERVED, ReservationState.EXPIRED})
"""The states from which a reservation can still be settled."""

UsedAfter = Callable[[Hold, int], int]
"""By how much a window passes its maximum once a hold is replaced by a charge."""


def charged_amounts(amounts: Amounts, reserved: Amounts) -> dict[str, int]:
    """What a Finalize charges, by metric: what is absent is charged as held, and `concurrency` never is."""
    actual = {**reserved, **amounts}
    if TOTAL_TOKENS not in amounts:
        total = token_total(amounts)
        if total is not None:
            actual[TOTAL_TOKENS] = token_total(actual) or 0
    if CONCURRENCY in actual:
        actual[CONCURRENCY] = 0
    return actual


def basis_of(operation: Finalize) -> Basis:
    """The basis that the caller names, else the one that its amounts imply."""
    return operation.basis or (Basis.REPORTED if operation.amounts else Basis.RESERVED)


def finalized(
    found: Reservation, operation: Finalize, actual: Amounts, *, late: bool, now: datetime, over_by: UsedAfter
) -> Reservation:
    """The reservation, charged."""
    return Reservation(
        reservation_id=found.reservation_id,
        tenant_id=found.tenant_id,
        api_key_id=found.api_key_id,
        model=found.model,
        state=ReservationState.FINALIZED,
        requested=found.requested,
        reserved=found.reserved,
        holds=tuple([_charged(hold, actual.get(hold.metric, 0), over_by) for hold in found.holds]),
        create_time=found.create_time,
        expire_time=found.expire_time,
        min_amounts=found.min_amounts,
        actual=actual,
        settle_time=now,
        late=late,
        unreserved=found.unreserved,
        basis=basis_of(operation),
        labels={**found.labels, **operation.labels} if operation.labels else found.labels,
        forced_reason=found.forced_reason,
    )


def released(found: Reservation, now: datetime) -> Reservation:
    """The reservation, given back."""
    return replace(found, state=ReservationState.RELEASED, settle_time=now, basis=Basis.NONE)


def expired(found: Reservation, at: datetime) -> Reservation:
    """The reservation, out of its lease, which ended at that time."""
    return replace(found, state=ReservationState.EXPIRED, expire_time=at)


def renewed(found: Reservation, lease: timedelta, now: datetime) -> Reservation:
    """The reservation with a lease that is never shorter than before."""
    longest = min(now + lease, found.create_time + LEASE_TOTAL_MAX)
    return replace(found, expire_time=max(found.expire_time, longest))


def _charged(hold: Hold, charge: int, over_by: UsedAfter) -> Hold:
    return Hold(
        hold.limit_id, hold.metric, hold.window_start, hold.reset_time, hold.held, charge, over_by(hold, charge)
    )
