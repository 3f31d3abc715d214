"""Limits and refusals, made by hand for tests of what is said about them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from quotad.client.types import (
    BlockedBy,
    Denial,
    Enforcement,
    Limit,
    LimitOwner,
    LimitStatus,
    Violation,
    Window,
    WindowKind,
)

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def status(
    metric: str = "total_tokens",
    window: WindowKind = WindowKind.DAY,
    *,
    max_value: int = 100,
    used: int = 0,
    held: int = 0,
    resets_in: timedelta | None = timedelta(hours=12),
    model_pattern: str = "",
    enforcement: Enforcement = Enforcement.ENFORCE,
) -> LimitStatus:
    limit_id = f"{metric}-{window}-{model_pattern}"
    return LimitStatus(
        Limit(metric, Window(window), max_value, model_pattern, enforcement, limit_id),
        LimitOwner("key_1", "alice"),
        used,
        held,
        NOW - timedelta(hours=12),
        None if resets_in is None else NOW + resets_in,
    )


def denial(*violations: Violation, retry_after: timedelta | None = None) -> Denial:
    return Denial(violations, retry_after)


def violation(of: LimitStatus, requested: int = 50, blocked_by: BlockedBy = BlockedBy.USED) -> Violation:
    return Violation(of, requested, blocked_by)
