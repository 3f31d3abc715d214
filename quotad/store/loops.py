"""A loop of the daemon: it outlives its own errors, and stops on an event."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from quotad.errors import Unavailable

log = structlog.get_logger(__name__)


async def every(seconds: float, stopping: asyncio.Event, name: str, turn: Callable[[], Awaitable[object]]) -> None:
    """Take a turn, pause, and again, until told to stop; whatever goes wrong is tried again at the next turn."""
    while not stopping.is_set():
        try:
            await turn()
        except Unavailable as away:
            log.warning("loop failed", loop=name, reason=away.reason)
        except Exception:
            # The daemon serves without its hygiene, and a loop that ended would never be missed.
            log.exception("loop failed", loop=name)
        await pause(seconds, stopping)


async def pause(seconds: float, stopping: asyncio.Event) -> None:
    """Wait, or until told to stop."""
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        return
