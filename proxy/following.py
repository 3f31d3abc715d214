"""Following what other processes change: each part of a worker reads again what concerns it, within a second."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import asyncpg
import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from proxy.records.changes import Changes, Channel, listening
from servicekit.background import in_background

POLL_SECONDS = 5.0
"""Between two readings where no notification comes: a lost one is made up for by then."""
POLLED = frozenset((Channel.ACCOUNTS, Channel.STANDINGS, Channel.SETTINGS))
"""Usage is not among them: it is read where some was written, and at a new connection (C5)."""
RECONNECT_SECONDS = 0.5
"""Pause before listening again; changes act within a second once the database answers."""
DATABASE_ERRORS = (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)
"""How a database that is away or refuses shows itself; a failed connect comes from the driver as it is."""

Reaction = Callable[[], Awaitable[None]]

log = structlog.get_logger(__name__)


@asynccontextmanager
async def following(engine: AsyncEngine, reactions: Mapping[Channel, Reaction]) -> AsyncIterator[None]:
    """Run a channel's reaction at each of its changes while the block runs, and all of them after a connect."""
    async with in_background(_Follower(engine, reactions).run(), "follow changes"):
        yield


class _Follower:
    """One connection that listens, for ever: what was read last holds while the database cannot be read."""

    def __init__(self, engine: AsyncEngine, reactions: Mapping[Channel, Reaction]) -> None:
        self._engine = engine
        self._reactions = reactions
        self._is_deaf = False

    async def run(self) -> None:
        while True:
            try:
                async with listening(self._engine) as changes:
                    await self._follow(changes)
            except DATABASE_ERRORS as exc:
                self._note_deaf(exc)
            except Exception:
                # Without this loop the worker would serve what it read at its start for ever.
                log.exception("changes cannot be followed, trying again")
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _follow(self, changes: Changes) -> None:
        changed = frozenset(self._reactions)
        while True:
            for channel, reaction in self._reactions.items():
                if channel in changed:
                    await reaction()
            self._is_deaf = False
            changed = await changes.wait(POLL_SECONDS) or POLLED

    def _note_deaf(self, exc: BaseException) -> None:
        """Say once per outage that changes are not heard."""
        if not self._is_deaf:
            log.warning("changes are not heard, trying again", error=type(exc).__name__)
        self._is_deaf = True
