"""How much of a caller's limits is left, as HTTP headers: for whatever serves HTTP before quotad.

The six `x-ratelimit-*` describe the tightest limit of their unit that applies, with live holds subtracted; `RateLimit`
and `RateLimit-Policy` name them all (draft-ietf-httpapi-ratelimit-headers-10, structured fields of RFC 9651).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from quotad.client.types import Enforcement, LimitStatus, pattern_matches

Header = tuple[str, str]

UNITS = {"requests": ("requests",), "tokens": ("total_tokens", "input_tokens", "output_tokens")}
QUOTA_UNITS = {"requests": "requests", "concurrency": "concurrent-requests"}
"""Metrics for which the draft registers a quota unit."""
INTEGER_MAX = 10**15 - 1
"""The largest integer of a structured field."""
LIMITS_LISTED_MAX = 16
"""Limits in one `RateLimit` field, tightest first: header blocks have bounds."""


def limit_headers(limits: Sequence[LimitStatus], now: datetime) -> tuple[Header, ...]:
    """The caller's limits, as `x-ratelimit-*`, `RateLimit` and `RateLimit-Policy`; empty where there are none."""
    shown = sorted(_shown(limits), key=_tightness)
    if not shown:
        return ()
    headers: list[Header] = []
    for unit, metrics in UNITS.items():
        of_unit = [status for status in shown if status.limit.metric in metrics]
        if of_unit:
            headers += _unit_headers(unit, of_unit[0], now)
    listed = shown[:LIMITS_LISTED_MAX]
    headers.append(("ratelimit", ", ".join(_rate_limit_item(status, now) for status in listed)))
    headers.append(("ratelimit-policy", ", ".join(_policy_item(status) for status in listed)))
    return tuple(headers)


def applies_to(status: LimitStatus, model: str) -> bool:
    return pattern_matches(status.limit.model_pattern, model)


def overlay(limits: Sequence[LimitStatus], newer: Sequence[LimitStatus]) -> tuple[LimitStatus, ...]:
    """`limits` with each status replaced by the newer one of the same limit."""
    by_id = {status.limit.limit_id: status for status in (*limits, *newer)}
    return tuple(by_id.values())


def go_duration(duration: timedelta) -> str:
    """As Go prints it, to the millisecond and never negative: `0s`, `12ms`, `1.5s`, `6m0s`, `24h0m0s`."""
    milliseconds = max(0, math.ceil(duration.total_seconds() * 1000))
    if 0 < milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    seconds = f"{rest / 1000:.3f}".rstrip("0").rstrip(".") + "s"
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{seconds}"
    return f"{minutes}m{seconds}" if minutes else seconds


def _shown(limits: Iterable[LimitStatus]) -> list[LimitStatus]:
    return [status for status in limits if status.limit.enforcement is Enforcement.ENFORCE]


def _tightness(status: LimitStatus) -> tuple[int, float, str]:
    frees = math.inf if status.reset_time is None else status.reset_time.timestamp()
    return status.available, -frees, status.limit.limit_id


def _unit_headers(unit: str, tightest: LimitStatus, now: datetime) -> list[Header]:
    headers = [
        (f"x-ratelimit-limit-{unit}", str(tightest.limit.max_value)),
        (f"x-ratelimit-remaining-{unit}", str(tightest.available)),
    ]
    if tightest.reset_time is not None:
        headers.append((f"x-ratelimit-reset-{unit}", go_duration(tightest.reset_time - now)))
    return headers


def _rate_limit_item(status: LimitStatus, now: datetime) -> str:
    item = f"{_policy_name(status)};r={min(status.available, INTEGER_MAX)}"
    if status.reset_time is None:
        return item
    return f"{item};t={max(0, math.ceil((status.reset_time - now).total_seconds()))}"


def _policy_item(status: LimitStatus) -> str:
    item = f"{_policy_name(status)};q={min(status.limit.max_value, INTEGER_MAX)}"
    if status.reset_time is not None:
        item += f";w={round((status.reset_time - status.window_start).total_seconds())}"
    unit = QUOTA_UNITS.get(status.limit.metric)
    return f'{item};qu="{unit}"' if unit else item


def _policy_name(status: LimitStatus) -> str:
    """A structured-field string that tells the key's limits apart: metric, window, models, time zone unless UTC."""
    limit = status.limit
    parts = [limit.metric, str(limit.window), limit.model_pattern]
    if limit.window.time_zone not in ("", "UTC"):
        parts.append(limit.window.time_zone)
    name = ":".join(parts).rstrip(":")
    printable = "".join(char if " " <= char <= "~" else "?" for char in name)
    return '"' + printable.replace("\\", "\\\\").replace('"', '\\"') + '"'
