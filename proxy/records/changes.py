"""Hearing of what other processes changed, through Postgres notifications."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import cast

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine


class Channel(StrEnum):
    """What changed: each is notified by triggers when a transaction that touched its table commits."""

    ACCOUNTS = "proxy_accounts"
    STANDINGS = "proxy_standings"
    USAGE = "proxy_usage"
    SETTINGS = "proxy_settings"


LISTEN_SECONDS_MAX = 5.0


class ListeningLost(ConnectionError):
    """The connection that listened is gone; changes since may have been missed."""


class Changes:
    """Channels notified since the last `wait`, each once."""

    def __init__(self) -> None:
        self._noted = asyncio.Event()
        self._channels: set[Channel] = set()
        self._is_lost = False

    async def wait(self, seconds_max: float) -> frozenset[Channel]:
        """What changed, as soon as something did; empty after `seconds_max`. Raises `ListeningLost`."""
        try:
            async with asyncio.timeout(seconds_max):
                await self._noted.wait()
        except TimeoutError:
            return frozenset()
        self._noted.clear()
        if self._is_lost:
            raise ListeningLost("the connection that listens for changes was lost")
        changed, self._channels = frozenset(self._channels), set()
        return changed

    def note(self, channel: Channel) -> None:
        self._channels.add(channel)
        self._noted.set()

    def note_loss(self) -> None:
        self._is_lost = True
        self._noted.set()


@asynccontextmanager
async def listening(engine: AsyncEngine) -> AsyncIterator[Changes]:
    """Listen to all channels on a connection of the engine while the block runs."""
    changes = Changes()

    def on_notification(_connection: object, _pid: int, channel: str, _payload: object) -> None:
        changes.note(Channel(channel))

    def on_loss(_connection: object) -> None:
        changes.note_loss()

    async with engine.connect() as connection:
        raw = await connection.get_raw_connection()
        driver = cast("asyncpg.Connection[asyncpg.Record]", raw.driver_connection)
        driver.add_termination_listener(on_loss)
        try:
            async with asyncio.timeout(LISTEN_SECONDS_MAX):
                for channel in Channel:
                    await driver.add_listener(channel, on_notification)
            yield changes
        finally:
            driver.remove_termination_listener(on_loss)
            await connection.invalidate()  # rather than hand a listening connection back to the pool


async def listening_proxies(connection: AsyncConnection) -> int:
    """How many proxies hear of changes: each keeps one connection that has done nothing but begin to listen."""
    statement = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = 'quota-proxy' AND query LIKE 'LISTEN %'"
    )
    found: int = (await connection.execute(statement)).scalar_one()
    return found
