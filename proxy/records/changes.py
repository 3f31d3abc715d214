"""Hearing of changes to the accounts, through Postgres notifications."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

CHANNEL = "proxy_accounts"
"""Notified by a trigger when a transaction that touched the accounts commits."""

LISTEN_SECONDS_MAX = 5.0


class ListeningLost(ConnectionError):
    """The connection that listened is gone; changes since may have been missed."""


class Changes:
    """Notifications since the last `wait`, merged into one."""

    def __init__(self) -> None:
        self._noted = asyncio.Event()
        self._is_lost = False

    async def wait(self, seconds_max: float) -> None:
        """Return at a change or after `seconds_max`; raises `ListeningLost`."""
        try:
            async with asyncio.timeout(seconds_max):
                await self._noted.wait()
        except TimeoutError:
            return
        self._noted.clear()
        if self._is_lost:
            raise ListeningLost("the connection that listens for account changes was lost")

    def note(self) -> None:
        self._noted.set()

    def note_loss(self) -> None:
        self._is_lost = True
        self._noted.set()


@asynccontextmanager
async def listening(engine: AsyncEngine) -> AsyncIterator[Changes]:
    """Listen on a connection of the engine while the block runs."""
    changes = Changes()

    def on_notification(*_details: object) -> None:
        changes.note()

    def on_loss(_connection: object) -> None:
        changes.note_loss()

    async with engine.connect() as connection:
        raw = await connection.get_raw_connection()
        driver = cast("asyncpg.Connection[asyncpg.Record]", raw.driver_connection)
        driver.add_termination_listener(on_loss)
        try:
            async with asyncio.timeout(LISTEN_SECONDS_MAX):
                await driver.add_listener(CHANNEL, on_notification)
            yield changes
        finally:
            driver.remove_termination_listener(on_loss)
            await connection.invalidate()  # rather than hand a listening connection back to the pool
