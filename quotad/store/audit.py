"""Conservation over the whole ledger, in one statement: what windows hold is what reservations say they hold.

One window row's counters and all of its reservations are compared in one snapshot, so that nothing has to stop for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import asyncpg

from quotad.errors import Overloaded
from quotad.records import Difference
from quotad.store import statements
from quotad.store.connections import CONNECT_SECONDS_MAX, StoreSettings
from quotad.store.failures import translated
from quotad.store.loops import every, pause

DIFFERENCES_MAX = 1000
"""As many are told of one tenant; one is already too many."""

__all__ = ["Auditor", "Difference", "differences"]


async def differences(
    database_url: str,
    tenant_id: str | None = None,
    *,
    seconds_max: float | None = None,
    differences_max: int | None = None,
) -> list[Difference]:
    """Every window row, of one tenant or of all, that breaks conservation; none in a sound ledger.

    Raises `StoreUnavailable`, and `Overloaded` when it takes longer than it may. The connection is its own, with the
    planner's own choices: the ledger's connections look rows up one by one.
    """
    with translated():
        connection = await asyncpg.connect(
            database_url,
            timeout=CONNECT_SECONDS_MAX,
            command_timeout=seconds_max,
            server_settings={"application_name": "quotad audit"},
        )
        try:
            rows = await connection.fetch(statements.AUDIT_WINDOWS, tenant_id, differences_max)
        except TimeoutError as exc:
            raise Overloaded("the check takes longer than it may") from exc
        finally:
            await connection.close(timeout=CONNECT_SECONDS_MAX)
    return [Difference(**dict(row)) for row in rows]


class Auditor:
    """The same, bounded, for a daemon."""

    def __init__(self, settings: StoreSettings) -> None:
        self._settings = settings

    async def check(self, tenant_id: str | None) -> list[Difference]:
        """The first differences of one tenant, or of all."""
        return await differences(
            self._settings.database_url,
            tenant_id,
            seconds_max=self._settings.audit_seconds_max,
            differences_max=DIFFERENCES_MAX,
        )

    async def run(self, stopping: asyncio.Event, pause_seconds: float, watch: Callable[[int], object]) -> None:
        """Check everything after each pause, and tell how many windows do not add up; nothing where the pause is 0."""
        if not pause_seconds:
            return

        async def turn() -> None:
            watch(len(await self.check(None)))

        await pause(pause_seconds, stopping)
        if not stopping.is_set():
            await every(pause_seconds, stopping, "audit", turn)
