"""Usage windows of the upstream accounts, as the proxies last read them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from dashboard.api.schema import Answer, Moment
from proxy.records import read
from proxy.records.accounts import Account
from proxy.records.usage import NO_USAGE, AccountUsage, UsageWindow, WindowUsage
from proxy.records.usage_samples import latest_by_account

MINUTE_SECONDS = 60


class AccountWindow(Answer):
    """How much of one of an account's windows is used."""

    account_id: str
    account_name: str
    window: UsageWindow
    """`primary` is the short one, `secondary` the long one."""
    used_percent: float
    """Nothing once the window is over."""
    window_seconds: int | None
    reset_time: Moment | None
    sample_time: Moment
    age_seconds: float
    """Of the sample."""


async def account_windows(connection: AsyncConnection, now: datetime) -> list[AccountWindow]:
    """All windows by the account's name, of each the newest sample; those that were never read are left out."""
    accounts = await read.list_accounts(connection)
    usages = await latest_by_account(connection)
    return [
        _window(account, name, window, now)
        for account in accounts
        for name, window in _windows(usages.get(account.account_id, NO_USAGE))
    ]


def _windows(usage: AccountUsage) -> list[tuple[UsageWindow, WindowUsage]]:
    both = ((UsageWindow.PRIMARY, usage.primary), (UsageWindow.SECONDARY, usage.secondary))
    return [(name, window) for name, window in both if window is not None]


def _window(account: Account, name: UsageWindow, window: WindowUsage, now: datetime) -> AccountWindow:
    return AccountWindow(
        account_id=account.account_id,
        account_name=account.name,
        window=name,
        used_percent=window.used_percent_at(now),
        window_seconds=None if window.window_minutes is None else window.window_minutes * MINUTE_SECONDS,
        reset_time=window.reset_time,
        sample_time=window.sample_time,
        age_seconds=max(0.0, (now - window.sample_time).total_seconds()),
    )
