"""What happens to a reservation after Reserve: finalize, release, renew, expire, and reading it."""

from __future__ import annotations

from datetime import datetime, timedelta

from quotad.core.admission import with_defaults
from quotad.core.draft import Draft
from quotad.core.operations import (
    Expire,
    ExpireAnswer,
    Finalize,
    Read,
    ReadAnswer,
    Release,
    RenewAnswer,
    RenewOne,
    Reserve,
    SettleAnswer,
)
from quotad.core.reserving import holds_of
from quotad.core.state import LedgerState
from quotad.core.transitions import OPEN, charged_amounts, finalized, released, renewed
from quotad.core.views import view_of
from quotad.errors import (
    ApiKeyDisabled,
    FinalizeMismatch,
    QuotaError,
    ReservationNotFound,
    ReservationNotOpen,
    TooOld,
)
from quotad.values import Reservation, ReservationState

UNRESERVED_MARGIN = timedelta(days=1)
"""An unreserved charge must come this much before the horizon, so that its windows still exist."""


def moment_of(state: LedgerState, operation: Reserve | Finalize) -> datetime:
    """The moment whose windows count: an unreserved charge belongs to the time when its request began."""
    return state.now - operation.age if isinstance(operation, Finalize) else state.now


def finalize(draft: Draft, operation: Finalize, api_key_id: str) -> SettleAnswer:
    found = draft.reservation(operation.reservation_id)
    if found is None:
        found = _unreserved(draft.state, operation, api_key_id)
    amounts = with_defaults(operation.amounts) if found.unreserved else operation.amounts
    actual = charged_amounts(amounts, found.reserved)
    if found.state is ReservationState.RELEASED:
        return _settled(draft, found, operation)
    if found.state is ReservationState.FINALIZED:
        if actual != found.actual:
            raise FinalizeMismatch("this reservation was finalized with other amounts, which stay", found)
        return _settled(draft, found, operation, replayed=True)
    late = not found.unreserved and (found.state is ReservationState.EXPIRED or draft.is_lapsed(found))
    after = finalized(found, operation, actual, late=late, now=draft.state.now, over_by=draft.over_by)
    draft.settle(found, after)
    return _settled(draft, after, operation, changed=True)


def _unreserved(state: LedgerState, operation: Finalize, api_key_id: str) -> Reservation:
    """A hold of nothing in the windows of the request's own time, to be charged at once."""
    if not operation.allow_unreserved:
        raise ReservationNotFound("this reservation is unknown, or was purged")
    if operation.age > state.horizon - UNRESERVED_MARGIN:
        raise TooOld("the request began too long ago to be charged")
    rules = state.keys[api_key_id].placed(operation.model, moment_of(state, operation))
    return Reservation(
        reservation_id=operation.reservation_id,
        tenant_id=state.tenant_id,
        api_key_id=api_key_id,
        model=operation.model,
        state=ReservationState.EXPIRED,
        requested={},
        reserved={},
        holds=holds_of(rules, {}),
        create_time=state.now,
        expire_time=state.now,
        unreserved=True,
    )


def release(draft: Draft, operation: Release) -> SettleAnswer:
    found = draft.reservation(operation.reservation_id)
    if found is None:
        tombstone = _tombstone(draft.state, operation.reservation_id)
        draft.write(tombstone, operation.reason)
        return _settled(draft, tombstone, operation, changed=True)
    if found.state not in OPEN:
        return _settled(draft, found, operation)
    after = released(found, draft.state.now)
    draft.settle(found, after, operation.reason)
    return _settled(draft, after, operation, changed=True)


def _tombstone(state: LedgerState, reservation_id: str) -> Reservation:
    """What fences a Reserve that arrives behind its own Release."""
    bare = Reservation(
        reservation_id=reservation_id,
        tenant_id=state.tenant_id,
        api_key_id="",
        model="",
        state=ReservationState.RELEASED,
        requested={},
        reserved={},
        holds=(),
        create_time=state.now,
        expire_time=state.now,
    )
    return released(bare, state.now)


def renew(draft: Draft, operation: RenewOne) -> RenewAnswer:
    found = draft.reservation(operation.reservation_id)
    if found is None:
        unknown = ReservationNotFound("this reservation is unknown, or was purged")
        return RenewAnswer(operation.reservation_id, None, None, unknown)
    if found.state is ReservationState.RESERVED and draft.is_lapsed(found):
        found = draft.expire(found)
    refusal = _renewal_refusal(draft, found)
    if refusal is None:
        found = renewed(found, operation.lease or draft.state.default_lease, draft.state.now)
        draft.write(found)
    return RenewAnswer(found.reservation_id, found.state, found.expire_time, refusal)


def _renewal_refusal(draft: Draft, found: Reservation) -> QuotaError | None:
    if found.state is not ReservationState.RESERVED:
        return ReservationNotOpen("this reservation has been settled, or its lease has lapsed", found)
    if not draft.state.keys[found.api_key_id].is_usable(draft.state.now):
        return ApiKeyDisabled("this API key is disabled, expired or deleted")
    return None


def read(draft: Draft, operation: Read) -> ReadAnswer:
    found = draft.reservation(operation.reservation_id)
    if found is None:
        raise ReservationNotFound("this reservation is unknown, or was purged")
    if found.state is ReservationState.RESERVED and draft.is_lapsed(found):
        found = draft.expire(found)
    return ReadAnswer(found)


def expire(draft: Draft, operation: Expire) -> ExpireAnswer:
    found = draft.reservation(operation.reservation_id)
    if found is None or found.state is not ReservationState.RESERVED:
        return ExpireAnswer(operation.reservation_id, expired=False)
    ended = operation.forced or draft.is_lapsed(found)
    if ended:
        draft.expire(found)
    return ExpireAnswer(operation.reservation_id, ended)


def _settled(
    draft: Draft,
    reservation: Reservation,
    operation: Finalize | Release,
    *,
    replayed: bool = False,
    changed: bool = False,
) -> SettleAnswer:
    return SettleAnswer(reservation, replayed, changed, view_of(draft, reservation, operation.limits_view))
