"""Whether a request fits: defaults, clipping, and every limit that refuses it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from quotad.core.state import CONCURRENCY, REQUESTS, TOTAL_TOKENS
from quotad.errors import InvalidRequest
from quotad.values import Amounts, BlockedBy, Denial, Enforcement, LimitStatus, Violation

NEVER_CLIPPED = frozenset({REQUESTS, CONCURRENCY})
HELD_RETRY = timedelta(seconds=1)
"""When to ask again about a limit that open reservations fill: they settle at any moment."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """What is granted, by metric."""

    granted: dict[str, int]


def with_defaults(amounts: Amounts) -> dict[str, int]:
    """The amounts that count at Reserve: one request, one at a time, and the total of the tokens that are named."""
    counted = {REQUESTS: 1, CONCURRENCY: 1, **amounts}
    total = token_total(amounts)
    if total is not None:
        counted.setdefault(TOTAL_TOKENS, total)
    return counted


def token_total(amounts: Amounts) -> int | None:
    """Input and output together, where either is known."""
    if "input_tokens" not in amounts and "output_tokens" not in amounts:
        return None
    return amounts.get("input_tokens", 0) + amounts.get("output_tokens", 0)


def judge(amounts: Amounts, minimums: Amounts, limits: Sequence[LimitStatus], now: datetime) -> Admitted | Denial:
    """Admit, clipped down to the minimums where it must be, or name every limit that is in the way.

    `limits` are the states of all matching limits; shadow limits neither refuse nor clip. Raises `InvalidRequest` for a
    metric that an enforced limit counts and the request does not mention: a limit is never skipped.
    """
    enforced = [status for status in limits if status.limit.enforcement is Enforcement.ENFORCE]
    _require_metrics(amounts, enforced)
    needed = {
        metric: amount if metric in NEVER_CLIPPED else minimums.get(metric, amount)
        for metric, amount in amounts.items()
    }
    violations = tuple(
        _violation(status, needed[status.limit.metric])
        for status in enforced
        if needed[status.limit.metric] > _room(status)
    )
    if violations:
        return Denial(violations, _retry_after(violations, now))
    granted = dict(amounts)
    for status in enforced:
        metric = status.limit.metric
        granted[metric] = min(granted[metric], _room(status))
    return Admitted(granted)


def _require_metrics(amounts: Amounts, enforced: Sequence[LimitStatus]) -> None:
    missing = sorted({status.limit.metric for status in enforced} - amounts.keys())
    if missing:
        names = ", ".join(missing)
        raise InvalidRequest(f"amounts.{missing[0]}", f"a limit counts {names}: the amounts must name it")


def _room(status: LimitStatus) -> int:
    return status.limit.max_value - status.used - status.held


def _violation(status: LimitStatus, needed: int) -> Violation:
    fits_without_holds = needed <= status.limit.max_value - status.used
    return Violation(status, needed, BlockedBy.HELD if fits_without_holds else BlockedBy.USED)


def _retry_after(violations: Sequence[Violation], now: datetime) -> timedelta | None:
    waits = [_wait(violation, now) for violation in violations]
    known = [wait for wait in waits if wait is not None]
    return max(known) if len(known) == len(waits) else None


def _wait(violation: Violation, now: datetime) -> timedelta | None:
    if violation.never_fits:
        return None
    if violation.blocked_by is BlockedBy.HELD:
        return HELD_RETRY
    reset = violation.status.reset_time
    return None if reset is None else max(reset - now, timedelta())
