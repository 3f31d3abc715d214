"""Usage windows of the upstream accounts, as the proxies last read them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from dashboard.api.schema import Answer, Moment


class AccountWindow(Answer):
    """How much of one of an account's windows is used."""

    account_id: str
    account_name: str
    window: str
    """primary is the short one, secondary the long one."""
    used_percent: float
    """Nothing once the window is over."""
    window_seconds: int | None
    reset_time: Moment | None
    sample_time: Moment
    age_seconds: float
    """Of the sample."""


async def account_windows(_connection: AsyncConnection, _now: datetime) -> list[AccountWindow]:
    """All windows by account; none while no proxy keeps samples."""
    return []
