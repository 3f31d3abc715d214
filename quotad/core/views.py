"""Which limits an answer lists, as they stand after its operation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from quotad.core.draft import Draft
from quotad.core.operations import PlanAnswer, ReserveAnswer, SettleAnswer
from quotad.core.state import Placed, WindowKey, limit_status
from quotad.values import LimitStatus, LimitsView, Reservation


def view_of(draft: Draft, reservation: Reservation, view: LimitsView) -> tuple[LimitStatus, ...]:
    """The limits that a reservation holds in, as they stand after the operation."""
    if view is LimitsView.NONE:
        return ()
    config = draft.state.keys.get(reservation.api_key_id)
    if config is None:
        return ()
    rules = {rule.limit.limit_id: rule for rule in config.rules}
    held_in = [
        Placed(rules[hold.limit_id], hold.window, hold.reset_time)
        for hold in reservation.holds
        if hold.limit_id in rules
    ]
    found = statuses(draft, held_in)
    if view is LimitsView.ALL:
        return found
    return tuple(status for status in found if status.used + status.held > status.limit.max_value)


def moved(answer: PlanAnswer, drift: Mapping[WindowKey, tuple[int, int]]) -> PlanAnswer:
    """The answer, its limits as they stand when others have moved windows by `held` and `used` under the plan."""
    if not isinstance(answer, ReserveAnswer | SettleAnswer) or not answer.limits:
        return answer
    return replace(answer, limits=tuple([_moved(status, drift) for status in answer.limits]))


def _moved(status: LimitStatus, drift: Mapping[WindowKey, tuple[int, int]]) -> LimitStatus:
    held, used = drift.get((status.limit.limit_id, status.window_start), (0, 0))
    return replace(status, held=status.held + held, used=status.used + used)


def statuses(draft: Draft, rules: Sequence[Placed]) -> tuple[LimitStatus, ...]:
    return tuple(limit_status(*standing) for standing in draft.standings(rules))
