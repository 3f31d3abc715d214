"""Reserve and Check: what is admitted, what is repeated, what is refused."""

from __future__ import annotations

from datetime import datetime

from quotad.core.admission import Admitted, judge, with_defaults
from quotad.core.draft import Draft
from quotad.core.operations import Check, CheckAnswer, Reserve, ReserveAnswer
from quotad.core.state import KeyConfig, LedgerState, Placed
from quotad.core.views import statuses, view_of
from quotad.errors import (
    ApiKeyDisabled,
    ModelNotAllowed,
    QuotaError,
    QuotaExceeded,
    RequestExceedsLimit,
    ReservationFenced,
    ReservationIdReused,
    ReservationNotOpen,
)
from quotad.values import Amounts, Denial, Hold, LimitsView, Reservation, ReservationState


def check(state: LedgerState, operation: Check, api_key_id: str, secret_expire_time: datetime | None) -> CheckAnswer:
    """What a Reserve on this state would be granted; raises what it would be refused with."""
    draft = Draft(state)
    config = state.keys[api_key_id]
    rules = config.placed(operation.model, state.now)
    _require_usable(config, secret_expire_time, state.now)
    admitted = _admit(draft, config, operation, rules)
    limits = statuses(draft, rules) if operation.limits_view is LimitsView.ALL else ()
    return CheckAnswer(admitted.granted, limits, state.now)


def reserve(draft: Draft, operation: Reserve, api_key_id: str, secret_expire_time: datetime | None) -> ReserveAnswer:
    found = draft.reservation(operation.reservation_id)
    if found is not None:
        return _repeat_reserve(draft, operation, api_key_id, found)
    config = draft.state.keys[api_key_id]
    rules = config.placed(operation.model, draft.state.now)
    try:
        _require_usable(config, secret_expire_time, draft.state.now)
        admitted = _admit(draft, config, operation, rules)
    except QuotaError:
        draft.refuse(operation.reservation_id)
        raise
    reservation = _reserved(draft.state, operation, api_key_id, admitted, rules)
    draft.admit(reservation, rules)
    limits = statuses(draft, rules) if operation.limits_view is LimitsView.ALL else ()
    return ReserveAnswer(reservation, False, limits, draft.state.now, admitted.shadowed)


def _require_usable(config: KeyConfig, secret_expire_time: datetime | None, now: datetime) -> None:
    if not config.is_usable(now):
        raise ApiKeyDisabled("this API key is disabled, expired or deleted")
    require_working(secret_expire_time, now)


def require_working(secret_expire_time: datetime | None, now: datetime) -> None:
    """Raise `ApiKeyDisabled` for a secret that a rotation replaced and whose grace is over."""
    if secret_expire_time is not None and secret_expire_time <= now:
        raise ApiKeyDisabled("this API key has another secret, and the time in which this one still worked is over")


def _admit(draft: Draft, config: KeyConfig, operation: Reserve | Check, rules: tuple[Placed, ...]) -> Admitted:
    if not config.allows(operation.model):
        raise ModelNotAllowed("this API key may not use this model", metadata={"model": operation.model})
    amounts = with_defaults(operation.amounts)
    judged = judge(amounts, operation.min_amounts, draft.standings(rules), draft.state.now)
    draft.judged(rules, is_exact=isinstance(judged, Denial) or bool(judged.clipped))
    if isinstance(judged, Denial):
        raise _refusal(judged)
    return judged


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
    if found.state is not ReservationState.RESERVED or draft.is_lapsed(found):
        raise ReservationNotOpen("this reservation has been settled, or its lease has lapsed", found)
    limits = view_of(draft, found, operation.limits_view)
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


def _refusal(denial: Denial) -> QuotaExceeded | RequestExceedsLimit:
    names = ", ".join(
        f"{v.status.limit.metric} per {v.status.limit.window} (limit {v.status.limit.max_value}, used {v.status.used}, "
        f"held {v.status.held}, requested {v.requested})"
        for v in denial.violations
    )
    if denial.never_fits:
        return RequestExceedsLimit(f"the request is larger than a whole limit: {names}", denial)
    return QuotaExceeded(f"the request does not fit now: {names}", denial)


def _reserved(
    state: LedgerState, operation: Reserve, api_key_id: str, admitted: Admitted, rules: tuple[Placed, ...]
) -> Reservation:
    return Reservation(
        reservation_id=operation.reservation_id,
        tenant_id=state.tenant_id,
        api_key_id=api_key_id,
        model=operation.model,
        state=ReservationState.RESERVED,
        requested=admitted.requested,
        reserved=admitted.granted,
        holds=holds_of(rules, admitted.granted),
        create_time=state.now,
        expire_time=state.now + (operation.lease or state.default_lease),
        min_amounts=operation.min_amounts,
        labels=operation.labels,
    )


def holds_of(rules: tuple[Placed, ...], amounts: Amounts) -> tuple[Hold, ...]:
    """What each limit counts of some amounts, also where that is nothing."""
    return tuple(
        [
            Hold(limit_id, metric, start, reset_time, amounts.get(metric, 0))
            for rule, (limit_id, start), reset_time in rules
            for metric in (rule.limit.metric,)
        ]
    )
