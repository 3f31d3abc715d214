"""What live pages hear: which kinds of data have changed, so that they read just these again.

One watcher looks for changes while anybody listens. A listener that does not read keeps no queue: what it has missed
is one set of kinds.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from enum import StrEnum

import structlog

from dashboard.errors import StreamsBusy
from dashboard.turns import Turns

log = structlog.get_logger(__name__)


class Kind(StrEnum):
    """What can change."""

    REQUESTS = "requests"
    RESERVATIONS = "reservations"
    REFUSALS = "refusals"
    LIMITS = "limits"
    ACCOUNTS = "accounts"


Prints = Mapping[Kind, object]
"""Something for each kind that differs once the data do. A kind that could not be looked at is missing."""
Look = Callable[[], Awaitable[Prints]]


class Listener:
    """The kinds that have changed since they were last taken."""

    def __init__(self) -> None:
        self._kinds: set[Kind] = set()
        self._has_news = asyncio.Event()
        self.is_over = False

    def tell(self, kinds: set[Kind]) -> None:
        self._kinds |= kinds
        self._has_news.set()

    def end(self) -> None:
        self.is_over = True
        self._has_news.set()

    async def take(self, seconds_max: float) -> list[Kind]:
        """The kinds that changed, sorted; empty after `seconds_max`, or at the end."""
        try:
            async with asyncio.timeout(seconds_max):
                await self._has_news.wait()
        except TimeoutError:
            return []
        if not self.is_over:
            self._has_news.clear()
        taken, self._kinds = sorted(self._kinds), set()
        return taken


class Live:
    """Everyone who listens, and the watcher that works for them."""

    def __init__(self, look: Look, listeners_max: int, watch_seconds: float) -> None:
        self._look = look
        self._turns = Turns(listeners_max, StreamsBusy)
        self._watch_seconds = watch_seconds
        self._listeners: set[Listener] = set()
        self._watching: asyncio.Task[None] | None = None
        self._is_closed = False

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Listener]:
        """A listener for the length of the block; raises `StreamsBusy`."""
        with self._turns.taken():
            listener = Listener()
            if self._is_closed:
                listener.end()
            self._listeners.add(listener)
            if self._watching is None and not self._is_closed:
                self._watching = asyncio.create_task(self._watch())
            try:
                yield listener
            finally:
                self._listeners.discard(listener)
                if not self._listeners:
                    await self._stop_watching()

    async def close(self) -> None:
        """End every stream, those that come later included."""
        self._is_closed = True
        for listener in self._listeners:
            listener.end()
        await self._stop_watching()

    async def _watch(self) -> None:
        seen: dict[Kind, object] = dict(await self._prints())
        while True:
            await asyncio.sleep(self._watch_seconds)
            prints = await self._prints()
            changed = {kind for kind, print_ in prints.items() if seen.get(kind) != print_}
            seen |= prints
            if changed:
                for listener in self._listeners:
                    listener.tell(changed)

    async def _prints(self) -> Prints:
        try:
            return await self._look()
        except Exception:
            # A watcher that died would leave every page still, without a word.
            log.exception("looking for changes failed")
            return {}

    async def _stop_watching(self) -> None:
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            await asyncio.wait([watching])
