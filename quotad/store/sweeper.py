"""Hygiene: each second, expire what has lapsed. Admission does not depend on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from quotad.errors import Unavailable
from quotad.store.ledger import Ledger

SWEEP_SECONDS = 1.0

log = structlog.get_logger(__name__)


async def run(ledger: Ledger, stopping: asyncio.Event, on_expired: Callable[[int], object] = lambda _: None) -> None:
    """Sweep until told to stop; whatever goes wrong is tried again at the next turn."""
    while not stopping.is_set():
        try:
            moved = await ledger.sweep()
        except Unavailable as away:
            log.warning("sweep failed", reason=away.reason)
        except Exception:
            # The daemon serves without a sweeper: admission expires what is in its way.
            log.exception("sweep failed")
        else:
            on_expired(moved)
        try:
            async with asyncio.timeout(SWEEP_SECONDS):
                await stopping.wait()
        except TimeoutError:
            continue
