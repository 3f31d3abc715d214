"""Which limits an answer lists, as they stand after its operation."""

from __future__ import annotations

from collections.abc import Sequence

from quotad.core.draft import Draft
from quotad.core.state import Placed, limit_status
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


def statuses(draft: Draft, rules: Sequence[Placed]) -> tuple[LimitStatus, ...]:
    return tuple(limit_status(*standing) for standing in draft.standings(rules))
