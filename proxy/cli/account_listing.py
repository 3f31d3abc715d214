"""What `quota-proxy accounts list` shows of each account: its state, its windows with their age, its last error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from proxy.records import read
from proxy.records.accounts import Account
from proxy.records.standings import StoredStanding, list_standings
from proxy.records.usage import NO_USAGE, AccountUsage, UsageWindow, WindowUsage
from proxy.records.usage_samples import UsageFetch, latest_by_account, list_fetches

MINUTE_SECONDS = 60
HOUR_SECONDS = 3_600
DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Listed:
    """One account with what is known of it."""

    account: Account
    usage: AccountUsage
    standing: StoredStanding | None
    fetch: UsageFetch | None

    @property
    def last_error(self) -> str:
        """What requests met last and, where it goes on, what the last usage fetch met."""
        said = [self.standing.last_error] if self.standing and self.standing.last_error else []
        if self.fetch is not None and self.fetch.error:
            said.append(f"usage: {self.fetch.error}")
        return "; ".join(said)


async def read_listed(connection: AsyncConnection) -> tuple[Listed, ...]:
    """All accounts by name."""
    usages = await latest_by_account(connection)
    standings = await list_standings(connection)
    fetches = await list_fetches(connection)
    return tuple(
        Listed(
            account,
            usages.get(account.account_id, NO_USAGE),
            standings.get(account.account_id),
            fetches.get(account.account_id),
        )
        for account in await read.list_accounts(connection)
    )


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
