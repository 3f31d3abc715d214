"""What `quota-proxy accounts list` shows of each account: its state, its windows with their age, its last error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

from rich.table import Table

from proxy.records.listed import Listed
from proxy.records.usage import AccountUsage, UsageWindow, WindowUsage

MINUTE_SECONDS = 60
HOUR_SECONDS = 3_600
DAY_SECONDS = 86_400


def listed_json(listed: Listed, now: datetime) -> dict[str, object]:
    """Times in RFC 3339, ages in seconds."""
    standing, fetch, told = listed.standing, listed.fetch, listed.usage.credits
    return {
        **_plain({**asdict(listed.account), "state": listed.account.state_at(now)}),
        "windows": {name.value: _window_json(window, now) for name, window in _windows(listed.usage)},
        "credits": None if told is None else _plain({**asdict(told), "balance": told.balance and str(told.balance)}),
        "last_error": listed.last_error,
        **_plain(
            {
                "last_error_time": standing.last_error_time if standing else None,
                "failures": standing.failures if standing else 0,
                "usage_fetch_time": fetch.fetch_time if fetch else None,
            }
        ),
    }


def listed_table(listed: Sequence[Listed], now: datetime) -> Table:
    columns = ("name", "kind", "state", "until", "windows", "last error", "base URL")
    table = Table(*columns, title=None if listed else "no account is configured")
    for each in listed:
        account = each.account
        state = account.state_at(now)
        until = f"{account.until:%Y-%m-%d %H:%M:%SZ}" if account.until is not None and state.is_limited else ""
        why = f"{state} ({account.state_reason})" if account.state_reason else str(state)
        windows = "\n".join(_window_line(name, window, now) for name, window in _windows(each.usage))
        kind = "demo" if account.is_demo else str(account.kind)
        table.add_row(account.name, kind, why, until, windows, each.last_error, account.base_url)
    return table


def _windows(usage: AccountUsage) -> tuple[tuple[UsageWindow, WindowUsage], ...]:
    parts = ((UsageWindow.PRIMARY, usage.primary), (UsageWindow.SECONDARY, usage.secondary))
    return tuple((name, window) for name, window in parts if window is not None)


def _window_json(window: WindowUsage, now: datetime) -> dict[str, object]:
    return {
        **_plain(asdict(window)),
        "used_percent": window.used_percent_at(now),
        "age_seconds": _age_seconds(window, now),
    }


def _window_line(name: UsageWindow, window: WindowUsage, now: datetime) -> str:
    reset = f", resets {window.reset_time:%m-%d %H:%MZ}" if window.reset_time and window.reset_time > now else ""
    return f"{name} {window.used_percent_at(now):.0f}%{reset}, {_short(_age_seconds(window, now))} old"


def _age_seconds(window: WindowUsage, now: datetime) -> int:
    return max(0, round((now - window.sample_time).total_seconds()))


def _short(seconds: int) -> str:
    for unit, length in (("d", DAY_SECONDS), ("h", HOUR_SECONDS), ("min", MINUTE_SECONDS)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def _plain(values: Mapping[str, object]) -> dict[str, object]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}
