"""The one place that admits, clips, settles and expires.

`plan(state, operations)` is a function of locked rows, configuration and clock. It answers every operation, in the
order given, and says what has to be written; the store verifies and writes it, or plans again on fresh rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from quotad.core.admission import judge, with_defaults
from quotad.core.draft import Draft
from quotad.core.operations import (
    Answer,
    Bound,
    Expire,
    ExpireAnswer,
    Finalize,
    Release,
    RenewAnswer,
    RenewOne,
    Reserve,
    ReserveAnswer,
    SettleAnswer,
)
from quotad.core.settlement import OPEN, charged_amounts, finalized, released, renewed
from quotad.core.state import KeyConfig, LedgerState, Rule, WindowKey, Writes, limit_status
from quotad.errors import (
    ApiKeyDisabled,
    FinalizeMismatch,
    ModelNotAllowed,
    QuotaError,
    QuotaExceeded,
    RequestExceedsLimit,
    ReservationFenced,
    ReservationIdReused,
    ReservationNotFound,
    ReservationNotOpen,
    TooOld,
)
from quotad.values import (
    Denial,
    Hold,
    LimitStatus,
    LimitsView,
    Reservation,
    ReservationState,
)

UNRESERVED_MARGIN = timedelta(days=1)
"""An unreserved charge must come this much before the horizon, so that its windows still exist."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to write and what to answer; a refused operation writes nothing."""

    writes: Writes
    answers: tuple[Answer, ...]


def plan(state: LedgerState, operations: Sequence[Bound]) -> Plan:
    """Decide the operations in the order given. `state` must hold every window of `windows_needed`."""
    draft = Draft(state)
    answers = tuple(_answer(draft, bound) for bound in operations)
    return Plan(draft.writes(), answers)


def windows_needed(state: LedgerState, operations: Sequence[Bound]) -> dict[WindowKey, datetime | None]:
    """The window rows, with their resets, that `plan` will look at for these operations at `state.now`."""
    needed: dict[WindowKey, datetime | None] = {}
    for bound in operations:
        found = state.reservations.get(bound.reservation_id)
        if found is None:
            needed |= _new_windows(state, bound)
        elif _touches_holds(state, bound, found):
            needed |= {WindowKey(hold.limit_id, hold.window_start): hold.reset_time for hold in found.holds}
    return needed


def _new_windows(state: LedgerState, bound: Bound) -> dict[WindowKey, datetime | None]:
    if not isinstance(bound.operation, Reserve | Finalize) or not bound.api_key_id:
        return {}
    moment = _moment(state, bound.operation)
    rules = state.keys[bound.api_key_id].rules_for(bound.operation.model)
    return {rule.window_key(moment): rule.reset_time(moment) for rule in rules}


def _touches_holds(state: LedgerState, bound: Bound, found: Reservation) -> bool:
    match bound.operation:
        case Finalize() | Release() | Reserve():
            return True
        case RenewOne() | Expire():
            return found.state is ReservationState.RESERVED and state.is_lapsed(found)
        case _:
            assert_never(bound.operation)


def _moment(state: LedgerState, operation: Reserve | Finalize) -> datetime:
    """The moment whose windows count: an unreserved charge belongs to the time when its request began."""
    return state.now - operation.age if isinstance(operation, Finalize) else state.now


def _answer(draft: Draft, bound: Bound) -> Answer:
    operation = bound.operation
    try:
        match operation:
            case Reserve():
                return _reserve(draft, operation, bound.api_key_id)
            case Finalize():
                return _finalize(draft, operation, bound.api_key_id)
            case Release():
                return _release(draft, operation)
            case RenewOne():
                return _renew(draft, operation)
            case Expire():
                return _expire(draft, operation)
            case _:
                assert_never(operation)
    except QuotaError as refusal:
        return refusal


def _reserve(draft: Draft, operation: Reserve, api_key_id: str) -> ReserveAnswer:
    found = draft.reservation(operation.reservation_id)
    if found is not None:
        return _repeat_reserve(draft, operation, api_key_id, found)
    config = draft.state.keys[api_key_id]
    _require_usable(config, draft.state.now)
    if not config.allows(operation.model):
        raise ModelNotAllowed("this API key may not use this model", metadata={"model": operation.model})
    rules = config.rules_for(operation.model)
    amounts = with_defaults(operation.amounts)
    judged = judge(amounts, operation.min_amounts, _statuses(draft, rules), draft.state.now)
    if isinstance(judged, Denial):
        raise _refusal(judged)
    reservation = _admitted(draft.state, operation, config, amounts, judged.granted)
    draft.admit(reservation)
    limits = _statuses(draft, rules) if operation.limits_view is LimitsView.ALL else ()
    return ReserveAnswer(reservation, replayed=False, limits=limits, server_time=draft.state.now)


def _repeat_reserve(draft: Draft, operation: Reserve, api_key_id: str, found: Reservation) -> ReserveAnswer:
    if not found.api_key_id:
        raise ReservationFenced("a Release of this reservation id came first")
    differing = _differing(operation, api_key_id, found)
    if differing:
        raise ReservationIdReused(
            f"this reservation id stands for another request: {', '.join(differing)} differ",
            metadata={"fields": ",".join(differing)},
        )
    if found.state is ReservationState.RELEASED:
        raise ReservationFenced("this reservation has been released", found)
    if found.state is not ReservationState.RESERVED or draft.state.is_lapsed(found):
        raise ReservationNotOpen("this reservation has been settled, or its lease has lapsed", found)
    limits = _view(draft, found, operation.limits_view)
    return ReserveAnswer(found, replayed=True, limits=limits, server_time=draft.state.now)


def _differing(operation: Reserve, api_key_id: str, found: Reservation) -> list[str]:
    if found.api_key_id != api_key_id:
        return ["api_key"]
    if found.unreserved:
        return []
    pairs = {
        "model": (operation.model, found.model),
        "amounts": (with_defaults(operation.amounts), found.requested),
        "min_amounts": (operation.min_amounts, found.min_amounts),
    }
    return [name for name, (given, kept) in pairs.items() if given != kept]


def _require_usable(config: KeyConfig, now: datetime) -> None:
    if not config.is_usable(now):
        raise ApiKeyDisabled("this API key is disabled, expired or deleted")


def _refusal(denial: Denial) -> QuotaExceeded | RequestExceedsLimit:
    names = ", ".join(
        f"{v.status.limit.metric} per {v.status.limit.window} (limit {v.status.limit.max_value}, used {v.status.used}, "
        f"held {v.status.held}, requested {v.requested})"
        for v in denial.violations
    )
    if denial.never_fits:
        return RequestExceedsLimit(f"the request is larger than a whole limit: {names}", denial)
    return QuotaExceeded(f"the request does not fit now: {names}", denial)


def _admitted(
    state: LedgerState, operation: Reserve, config: KeyConfig, amounts: dict[str, int], granted: dict[str, int]
) -> Reservation:
    rules = config.rules_for(operation.model)
    return Reservation(
        reservation_id=operation.reservation_id,
        tenant_id=state.tenant_id,
        api_key_id=config.api_key.api_key_id,
        model=operation.model,
        state=ReservationState.RESERVED,
        requested=amounts,
        min_amounts=dict(operation.min_amounts),
        reserved=granted,
        holds=tuple(_hold(rule, granted.get(rule.limit.metric, 0), state.now) for rule in rules),
        create_time=state.now,
        expire_time=state.now + (operation.lease or state.default_lease),
        labels=dict(operation.labels),
    )


def _hold(rule: Rule, amount: int, moment: datetime) -> Hold:
    key = rule.window_key(moment)
    return Hold(rule.limit.limit_id, rule.limit.metric, key.window_start, rule.reset_time(moment), amount)


def _finalize(draft: Draft, operation: Finalize, api_key_id: str) -> SettleAnswer:
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
        return replace(_settled(draft, found, operation), replayed=True)
    late = found.state is ReservationState.EXPIRED or (not found.unreserved and draft.state.is_lapsed(found))
    after = finalized(found, operation, actual, late=late, now=draft.state.now, over_by=draft.over_by())
    draft.settle(found, after)
    return replace(_settled(draft, after, operation), changed=True)


def _unreserved(state: LedgerState, operation: Finalize, api_key_id: str) -> Reservation:
    """A hold of nothing in the windows of the request's own time, to be charged at once."""
    if not operation.allow_unreserved:
        raise ReservationNotFound("this reservation is unknown, or was purged")
    if operation.age > state.horizon - UNRESERVED_MARGIN:
        raise TooOld("the request began too long ago to be charged")
    rules = state.keys[api_key_id].rules_for(operation.model)
    moment = _moment(state, operation)
    return Reservation(
        reservation_id=operation.reservation_id,
        tenant_id=state.tenant_id,
        api_key_id=api_key_id,
        model=operation.model,
        state=ReservationState.EXPIRED,
        requested={},
        reserved={},
        holds=tuple(_hold(rule, 0, moment) for rule in rules),
        create_time=state.now,
        expire_time=state.now,
        unreserved=True,
    )


def _release(draft: Draft, operation: Release) -> SettleAnswer:
    found = draft.reservation(operation.reservation_id)
    if found is None:
        tombstone = _tombstone(draft.state, operation.reservation_id)
        draft.write(tombstone, operation.reason)
        return replace(_settled(draft, tombstone, operation), changed=True)
    if found.state not in OPEN:
        return _settled(draft, found, operation)
    after = released(found, draft.state.now)
    draft.settle(found, after, operation.reason)
    return replace(_settled(draft, after, operation), changed=True)


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


def _renew(draft: Draft, operation: RenewOne) -> RenewAnswer:
    found = draft.reservation(operation.reservation_id)
    if found is None:
        unknown = ReservationNotFound("this reservation is unknown, or was purged")
        return RenewAnswer(operation.reservation_id, None, None, unknown)
    if found.state is ReservationState.RESERVED and draft.state.is_lapsed(found):
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


def _expire(draft: Draft, operation: Expire) -> ExpireAnswer:
    found = draft.reservation(operation.reservation_id)
    lapsed = found is not None and found.state is ReservationState.RESERVED and draft.state.is_lapsed(found)
    if found is not None and lapsed:
        draft.expire(found)
    return ExpireAnswer(operation.reservation_id, lapsed)


def _settled(draft: Draft, reservation: Reservation, operation: Finalize | Release) -> SettleAnswer:
    limits = _view(draft, reservation, operation.limits_view)
    return SettleAnswer(reservation, replayed=False, changed=False, limits=limits)


def _view(draft: Draft, reservation: Reservation, view: LimitsView) -> tuple[LimitStatus, ...]:
    """The limits that a reservation holds in, as they stand after the operation."""
    config = draft.state.keys.get(reservation.api_key_id)
    if view is LimitsView.NONE or config is None:
        return ()
    rules = {rule.limit.limit_id: rule for rule in config.rules}
    statuses = tuple(
        _status(draft, rules[hold.limit_id], WindowKey(hold.limit_id, hold.window_start))
        for hold in reservation.holds
        if hold.limit_id in rules
    )
    if view is LimitsView.ALL:
        return statuses
    return tuple(status for status in statuses if status.used + status.held > status.limit.max_value)


def _statuses(draft: Draft, rules: Sequence[Rule]) -> tuple[LimitStatus, ...]:
    return tuple(_status(draft, rule, rule.window_key(draft.state.now)) for rule in rules)


def _status(draft: Draft, rule: Rule, key: WindowKey) -> LimitStatus:
    return limit_status(rule, key, draft.window(key))
