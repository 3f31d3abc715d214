"""The days that the request log is kept in: a partition each, of rows and of totals, made ahead and dropped whole."""

from __future__ import annotations

from datetime import date, timedelta

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

LOCK_MILLISECONDS_MAX = 500
"""How long the log's readers and writers may be kept waiting; less than what makes Postgres look for a deadlock."""
DAYS_LOCK = 0x6C6F6764617973
"""Advisory lock: one process at a time makes or drops days."""


async def make_days(connection: AsyncConnection, first: date, days: int) -> int:
    """Make the partitions that are missing from `first` on, and say how many; rows that came before them move in.

    Does nothing while another process is at it. Raises `DBAPIError` where the log is too busy: try again.
    """
    if not await _has_turn(connection):
        return 0
    wanted = [first + timedelta(days=number) for number in range(days)]
    made = [(await connection.execute(select(func.proxy.make_log_day_v1(day)))).scalar_one() for day in wanted]
    return sum(made)


async def drop_days(connection: AsyncConnection, before: date) -> int:
    """Drop what is older, rows and totals, and say how many partitions went; otherwise as `make_days`."""
    if not await _has_turn(connection):
        return 0
    dropped: int = (await connection.execute(select(func.proxy.drop_log_days_v1(before)))).scalar_one()
    return dropped


async def _has_turn(connection: AsyncConnection) -> bool:
    """For the rest of the transaction."""
    await connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_MILLISECONDS_MAX}"))
    turn: bool = (await connection.execute(select(func.pg_try_advisory_xact_lock(DAYS_LOCK)))).scalar_one()
    return turn
