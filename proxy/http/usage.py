"""A key's own limits and usage, for its holder: our shape, and the one that Codex shows in `/status`."""

from __future__ import annotations

import math
from datetime import datetime

from pydantic import BaseModel

from quotad.client.types import Enforcement, KeyDescription, LimitStatus

HOUR_SECONDS = 3600
PLAN_OF_A_KEY = "enterprise"
"""Codex knows a fixed set of plans; this is the one whose limits an organisation sets."""
PLAN_WITHOUT_KEY = "guest"


class LimitUsage(BaseModel):
    """One limit and its current window."""

    limit_id: str
    metric: str
    window: str
    model_pattern: str
    max_value: int
    used: int
    held: int
    available: int
    window_start: datetime
    reset_time: datetime | None


class KeyUsage(BaseModel):
    """What the calling key may use and has used."""

    object: str = "usage"
    api_key_id: str
    name: str
    allowed_models: list[str]
    limits: list[LimitUsage]
    server_time: datetime


class CodexWindow(BaseModel):
    """One bar of Codex's `/status`; times in seconds, `reset_at` in Unix seconds."""

    used_percent: int
    limit_window_seconds: int
    reset_after_seconds: int
    reset_at: int


class CodexRateLimit(BaseModel):
    """The two bars of Codex's `/status`."""

    allowed: bool
    limit_reached: bool
    primary_window: CodexWindow | None
    secondary_window: CodexWindow | None


class CodexUsage(BaseModel):
    """What Codex reads from `/api/codex/usage`."""

    plan_type: str
    rate_limit: CodexRateLimit | None
    credits: None = None


def key_usage(description: KeyDescription) -> KeyUsage:
    """The enforced limits of a key, as they are now."""
    key = description.api_key
    return KeyUsage(
        api_key_id=key.api_key_id,
        name=key.name,
        allowed_models=list(key.allowed_models),
        limits=[_limit_usage(status) for status in _enforced(description)],
        server_time=description.server_time,
    )


def codex_usage(description: KeyDescription | None) -> CodexUsage:
    """The key's limits as Codex's two windows: the shortest from an hour on, and the longest beyond it."""
    if description is None:
        return CodexUsage(plan_type=PLAN_WITHOUT_KEY, rate_limit=None)
    tightest = _tightest_by_length(_enforced(description))
    if not tightest:
        return CodexUsage(plan_type=PLAN_OF_A_KEY, rate_limit=None)
    primary = min(tightest, key=lambda length: (length < HOUR_SECONDS, length))
    longest = max(tightest)
    reached = any(_used_share(status) >= 1 for status in tightest.values())
    rate_limit = CodexRateLimit(
        allowed=not reached,
        limit_reached=reached,
        primary_window=_codex_window(tightest[primary], description.server_time),
        secondary_window=_codex_window(tightest[longest], description.server_time) if longest > primary else None,
    )
    return CodexUsage(plan_type=PLAN_OF_A_KEY, rate_limit=rate_limit)


def _tightest_by_length(limits: list[LimitStatus]) -> dict[int, LimitStatus]:
    """Length of a window in seconds to the fullest limit with such windows; limits without an end are left out."""
    tightest: dict[int, LimitStatus] = {}
    for status in limits:
        length = _window_seconds(status)
        if length is not None and (length not in tightest or _used_share(status) > _used_share(tightest[length])):
            tightest[length] = status
    return tightest


def _enforced(description: KeyDescription) -> list[LimitStatus]:
    return [status for status in description.limits if status.limit.enforcement is Enforcement.ENFORCE]


def _limit_usage(status: LimitStatus) -> LimitUsage:
    return LimitUsage(
        limit_id=status.limit.limit_id,
        metric=status.limit.metric,
        window=str(status.limit.window),
        model_pattern=status.limit.model_pattern,
        max_value=status.limit.max_value,
        used=status.used,
        held=status.held,
        available=status.available,
        window_start=status.window_start,
        reset_time=status.reset_time,
    )


def _window_seconds(status: LimitStatus) -> int | None:
    if status.reset_time is None:
        return None
    return round((status.reset_time - status.window_start).total_seconds())


def _used_share(status: LimitStatus) -> float:
    """Used and held against the maximum; a limit of nothing is used up."""
    taken = status.used + status.held
    return taken / status.limit.max_value if status.limit.max_value else 1.0


def _codex_window(status: LimitStatus, now: datetime) -> CodexWindow:
    reset_time = status.reset_time or now
    return CodexWindow(
        used_percent=min(100, math.floor(100 * _used_share(status))),
        limit_window_seconds=_window_seconds(status) or 0,
        reset_after_seconds=max(0, math.ceil((reset_time - now).total_seconds())),
        reset_at=math.ceil(reset_time.timestamp()),
    )
