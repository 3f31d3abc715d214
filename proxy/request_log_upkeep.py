"""Keeps the request log's days: partitions are made ahead, and whole ones dropped when their time is over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from proxy.records.log_days import drop_days, make_days
from proxy.request_log import DATABASE_ERRORS

DAYS_AHEAD = 3
"""An outage of all proxies over a weekend leaves no row without a day."""
UPKEEP_SECONDS = 600.0
RETRY_SECONDS = 15.0
"""After a busy log or an absent database."""
UPKEEP_SECONDS_MAX = 60.0

log = structlog.get_logger(__name__)


class RequestLogUpkeep:
    """Keeps the days. Every proxy does it, one at a time; a row without a day is kept, too."""

    def __init__(self, engine: AsyncEngine, retention_days: Callable[[], int]) -> None:
        self._engine = engine
        self._retention_days = retention_days

    async def keep(self, today: date) -> None:
        """Once. Raises what says that the database is away or busy."""
        async with asyncio.timeout(UPKEEP_SECONDS_MAX):
            async with self._engine.begin() as connection:
                made = await make_days(connection, today, 1 + DAYS_AHEAD)
            async with self._engine.begin() as connection:
                dropped = await drop_days(connection, today - timedelta(days=self._retention_days()))
        if made or dropped:
            log.info("request log kept in days", made=made, dropped=dropped)

    async def run(self) -> None:
        """For ever."""
        while True:
            pause = RETRY_SECONDS
            try:
                await self.keep(datetime.now(UTC).date())
                pause = UPKEEP_SECONDS
            except DATABASE_ERRORS as exc:
                log.warning("request log's days not kept", error=type(exc).__name__)
            except Exception:
                # Without this loop rows would pile up in one partition, and nothing would ever be dropped.
                log.exception("request log's days not kept by a defect")
            await asyncio.sleep(pause)
