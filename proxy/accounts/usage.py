"""Reading what upstreams tell of an account's usage: from `/api/codex/usage`, and from the headers of answers. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

from proxy.records.accounts import AccountState
from proxy.records.usage import AccountUsage, Credits, SampleSource, UsageWindow, WindowUsage

NUMBER_MAX = 10**10
"""Within a datetime's reach, as Unix seconds."""
MINUTES_MAX = 366 * 24 * 60
EXHAUSTED_SECONDS = 600.0
"""How long an account rests whose used-up window does not say when it resets."""
BALANCE_CHARACTERS_MAX = 32
PREFIX = "x-codex-"

LIMITED_BY = (
    (UsageWindow.PRIMARY, AccountState.RATE_LIMITED),
    (UsageWindow.SECONDARY, AccountState.QUOTA_EXCEEDED),
)
"""The state of an account that has used up a window."""


@dataclass(frozen=True, slots=True)
class Exhaustion:
    """An account has used up a window, which resets then."""

    state: AccountState
    until: datetime


def exhaustion(usage: AccountUsage, now: datetime) -> Exhaustion | None:
    """The used-up window that resets last; None where there is none."""
    windows = {UsageWindow.PRIMARY: usage.primary, UsageWindow.SECONDARY: usage.secondary}
    found = [
        Exhaustion(state, window.reset_time or now + timedelta(seconds=EXHAUSTED_SECONDS))
        for name, state in LIMITED_BY
        if (window := windows[name]) is not None and window.is_exhausted_at(now)
    ]
    return max(found, key=lambda each: each.until, default=None)


def read_payload(content: object, now: datetime) -> AccountUsage:
    """The windows and credits of a usage answer, as far as they can be read; empty where there are none."""
    body = _mapping(content)
    windows = _mapping(body.get("rate_limit"))
    return AccountUsage(
        _payload_window(_mapping(windows.get("primary_window")), now),
        _payload_window(_mapping(windows.get("secondary_window")), now),
        _payload_credits(_mapping(body.get("credits")), now),
    )


def read_headers(headers: Iterable[tuple[str, str]], now: datetime) -> AccountUsage:
    """The windows and credits in an answer's `x-codex-*` headers; empty where there are none."""
    said = {name.lower(): value for name, value in headers if name.lower().startswith(PREFIX)}
    if not said:
        return AccountUsage()
    return AccountUsage(
        _header_window(said, UsageWindow.PRIMARY, now),
        _header_window(said, UsageWindow.SECONDARY, now),
        _header_credits(said, now),
    )


def number(value: object) -> float | None:
    """A duration, moment or share that can be reckoned with: finite, not negative, within a datetime's reach."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if 0 <= found < NUMBER_MAX else None


def moment(value: object) -> datetime | None:
    """A time given in Unix seconds; 0 is none."""
    seconds = number(value)
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def _payload_window(window: Mapping[str, object], now: datetime) -> WindowUsage | None:
    used = number(window.get("used_percent"))
    if used is None:
        return None
    seconds = number(window.get("limit_window_seconds"))
    reset_time = moment(window.get("reset_at")) or _after(window.get("reset_after_seconds"), now)
    minutes = None if seconds is None else math.ceil(seconds / 60)
    return WindowUsage(used, _minutes(minutes), reset_time, now, SampleSource.FETCH)


def _header_window(said: Mapping[str, str], name: UsageWindow, now: datetime) -> WindowUsage | None:
    prefix = f"{PREFIX}{name}-"
    used = number(said.get(f"{prefix}used-percent"))
    if used is None:
        return None
    reset_time = moment(said.get(f"{prefix}reset-at")) or _after(said.get(f"{prefix}reset-after-seconds"), now)
    return WindowUsage(
        used, _minutes(number(said.get(f"{prefix}window-minutes"))), reset_time, now, SampleSource.HEADERS
    )


def _payload_credits(told: Mapping[str, object], now: datetime) -> Credits | None:
    has_credits = told.get("has_credits")
    if not isinstance(has_credits, bool):
        return None
    is_unlimited = told.get("unlimited") is True
    return Credits(has_credits, is_unlimited, _balance(told.get("balance")), now, SampleSource.FETCH)


def _header_credits(said: Mapping[str, str], now: datetime) -> Credits | None:
    has_credits = said.get(f"{PREFIX}credits-has-credits", "").lower()
    if has_credits not in ("true", "false"):
        return None
    is_unlimited = said.get(f"{PREFIX}credits-unlimited", "").lower() == "true"
    balance = _balance(said.get(f"{PREFIX}credits-balance"))
    return Credits(has_credits == "true", is_unlimited, balance, now, SampleSource.HEADERS)


def _balance(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str) or len(str(value)) > BALANCE_CHARACTERS_MAX:
        return None
    try:
        balance = Decimal(str(value))
    except InvalidOperation:
        return None
    return balance if balance.is_finite() and abs(balance) < NUMBER_MAX else None


def _minutes(value: float | None) -> int | None:
    return math.ceil(value) if value and value <= MINUTES_MAX else None


def _after(seconds: object, now: datetime) -> datetime | None:
    found = number(seconds)
    return None if found is None or found > MINUTES_MAX * 60 else now + timedelta(seconds=found)


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
