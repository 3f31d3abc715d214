"""Hygiene: each second, expire what has lapsed. Admission does not depend on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from quotad.store.ledger import Ledger
from quotad.store.loops import every

SWEEP_SECONDS = 1.0


async def run(ledger: Ledger, stopping: asyncio.Event, on_expired: Callable[[int], object] = lambda _: None) -> None:
    """Sweep until told to stop."""

    async def turn() -> None:
        on_expired(await ledger.sweep())

    await every(SWEEP_SECONDS, stopping, "sweep", turn)
