"""Whether a request fits: defaults, clipping, and every limit that refuses it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from quotad.core.state import CONCURRENCY, REQUESTS, TOTAL_TOKENS, Placed, limit_status
from quotad.errors import InvalidRequest
from quotad.values import Amounts, BlockedBy, Denial, Enforcement, Violation

NEVER_CLIPPED = frozenset({REQUESTS, CONCURRENCY})
HELD_RETRY = timedelta(seconds=1)
"""When to ask again about a limit that open reservations fill: they settle at any moment."""


class Standing(NamedTuple):
    """A limit that applies, and how full its window is."""

    placed: Placed
    used: int
    held: int

    @property
    def room(self) -> int:
        return self.placed.rule.limit.max_value - self.used - self.held


@dataclass(frozen=True, slots=True)
class Admitted:
    """What is granted of what was asked for, by metric."""

    requested: Amounts
    granted: Amounts
    clipped: frozenset[str] = frozenset()
    """The metrics of which less is granted than was asked for."""
    shadowed: tuple[Violation, ...] = ()
    """What shadow limits would have refused."""


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


def judge(amounts: Amounts, minimums: Amounts, standings: Sequence[Standing], now: datetime) -> Admitted | Denial:
    """Admit, clipped down to the minimums where it must be, or name every limit that is in the way.

    `standings` are all matching limits; shadow limits neither refuse nor clip. Raises `InvalidRequest` for a metric
    that an enforced limit counts and the request does not mention: a limit is never skipped.
    """
    tight = []
    for standing in standings:
        amount = amounts.get(standing.placed.rule.limit.metric)
        if amount is None or amount > standing.room:
            tight.append(standing)
    return _judge_tight(amounts, minimums, tight, now) if tight else Admitted(amounts, amounts)


def _judge_tight(amounts: Amounts, minimums: Amounts, tight: Sequence[Standing], now: datetime) -> Admitted | Denial:
    """Judge by the limits that do not have room for all that was asked."""
    enforced = [item for item in tight if item.placed.rule.limit.enforcement is Enforcement.ENFORCE]
    _require_metrics(amounts, enforced)
    violations = tuple(
        _violation(item, needed) for item in enforced if (needed := _needed(amounts, minimums, item)) > item.room
    )
    if violations:
        return Denial(violations, _retry_after(violations, now), now)
    granted = dict(amounts)
    for item in enforced:
        metric = item.placed.rule.limit.metric
        granted[metric] = min(granted[metric], item.room)
    clipped = frozenset(metric for metric in granted if granted[metric] < amounts[metric])
    return Admitted(amounts, granted, clipped, _shadowed(granted, tight))


def _needed(amounts: Amounts, minimums: Amounts, standing: Standing) -> int:
    """The least that the caller accepts of a limit's metric."""
    metric = standing.placed.rule.limit.metric
    amount = amounts[metric]
    return amount if metric in NEVER_CLIPPED else minimums.get(metric, amount)


def _shadowed(granted: Amounts, tight: Sequence[Standing]) -> tuple[Violation, ...]:
    return tuple(
        _violation(item, granted.get(limit.metric, 0))
        for item in tight
        if (limit := item.placed.rule.limit).enforcement is Enforcement.SHADOW
        and granted.get(limit.metric, 0) > item.room
    )


def _require_metrics(amounts: Amounts, enforced: Sequence[Standing]) -> None:
    missing = sorted({item.placed.rule.limit.metric for item in enforced} - amounts.keys())
    if missing:
        names = ", ".join(missing)
        raise InvalidRequest(f"amounts.{missing[0]}", f"a limit counts {names}: the amounts must name it")


def _violation(standing: Standing, needed: int) -> Violation:
    fits_without_holds = needed <= standing.placed.rule.limit.max_value - standing.used
    blocked_by = BlockedBy.HELD if fits_without_holds else BlockedBy.USED
    return Violation(limit_status(*standing), needed, blocked_by)


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
