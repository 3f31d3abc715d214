"""Writing what requests learn of accounts, behind their backs: soon, together, at most one row an account and part."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from proxy.accounts.standings import Standings
from proxy.accounts.usages import Usages, store_usage
from proxy.following import DATABASE_ERRORS
from proxy.records.standings import store_standings

GATHER_SECONDS = 0.2
"""How long a change waits for company; other replicas hear of it well within a second."""
RETRY_SECONDS = 2.0
WRITE_SECONDS_MAX = 5.0

log = structlog.get_logger(__name__)


class NoteWriter:
    """Writes changed standings and new samples while its block runs, and what is left at its end."""

    def __init__(self, engine: AsyncEngine, standings: Standings, usages: Usages) -> None:
        self._engine = engine
        self._standings = standings
        self._usages = usages
        self._noted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self._write()

    def note(self) -> None:
        """Something changed."""
        self._noted.set()

    async def _run(self) -> None:
        while True:
            await self._noted.wait()
            self._noted.clear()
            await asyncio.sleep(GATHER_SECONDS)
            if not await self._write():
                self._noted.set()
                await asyncio.sleep(RETRY_SECONDS)

    async def _write(self) -> bool:
        """False where it has to be tried again; memory holds what is known until then."""
        standings, samples = self._standings.take_changes(), self._usages.take_changes()
        if not standings and not samples:
            return True
        is_written = False
        try:
            async with asyncio.timeout(WRITE_SECONDS_MAX), self._engine.begin() as connection:
                await store_standings(connection, standings.items())
                for account_id in sorted(samples):
                    await store_usage(connection, account_id, samples[account_id], datetime.now(UTC))
            is_written = True
        except DATABASE_ERRORS as exc:
            log.warning("standings of accounts not written, trying again", error=type(exc).__name__)
        except Exception:
            # What is known of accounts only orders them: no defect here may end the writing for good.
            log.exception("standings of accounts not written")
        finally:
            if not is_written:
                self._standings.put_back(standings.keys())
                self._usages.put_back(samples)
        return is_written
