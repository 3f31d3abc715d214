"""How long things are kept: settled reservations are counted in the usage totals, and deleted in their time.

Any number of daemons may do it at once.

Settled reservations   their horizon, from settlement; and until they are in the totals
expired ones           their horizon, from the end of the lease
tombstones             an hour, and at most so many
window rows            the horizon, from the window's end, and as long as anything refers to them
totals, refusals       as the settings say
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from quotad.core.transitions import LEASE_TOTAL_MAX
from quotad.errors import Overloaded, StoreUnavailable
from quotad.store import statements_retention as statements
from quotad.store.connections import Connections, StoreSettings
from quotad.store.loops import every, pause

SETTLE_MARGIN = timedelta(seconds=30)
"""How much older than its write the time of a settlement may be: a plan waits less long than this to be applied."""
ROLL_UP_SECONDS = 10.0
"""Rarely enough that many settlements of a key and hour are added to its total at once."""
ROLL_UP_ROWS = 50_000
"""Per step; it holds nothing that an operation needs, and takes about half a second."""
TIDY_SECONDS = 60.0
"""Between two looks at tombstones, ended windows, old totals and refusals."""
TOMBSTONE_KEPT = timedelta(hours=1)
TOMBSTONES_MAX = 100_000
"""Of a tenant: 28 a second for an hour, more than any outage of a caller leaves, and 30 MB. Beyond it the oldest go."""
IDLE_PER_BUSY = 2.0
"""Each step is followed by a pause of twice its length: deleting takes no more than a third of one core."""

log = structlog.get_logger(__name__)

Step = Callable[[str], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Lags:
    """How far the loops are behind, in seconds."""

    roll_up: float
    """Since the oldest settlement that is not in the totals."""
    purge: float
    """Since the oldest settled reservation has been due."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is told what the loops have done."""

    rolled_up: Callable[[int], object]
    purged: Callable[[int], object]
    lags: Callable[[Lags], object]


class Retention:
    """The roll-up and the purge of one store."""

    def __init__(self, connections: Connections, settings: StoreSettings) -> None:
        self._connections = connections
        self._batch = settings.purge_batch_rows
        self._horizon = timedelta(seconds=settings.horizon_seconds)
        self._usage_retention = timedelta(seconds=settings.usage_retention_seconds)
        self._refusal_retention = timedelta(seconds=settings.refusal_retention_seconds)
        self._pause_seconds = settings.purge_pause_seconds
        self._places: dict[str, datetime] = {}
        self._stepping = asyncio.Lock()
        self._stopping = asyncio.Event()

    async def run(self, stopping: asyncio.Event, watch: Watch) -> None:
        """Do all of it until told to stop."""
        self._stopping = stopping

        async def roll_up() -> None:
            watch.rolled_up(await self.roll_up())
            watch.lags(await self.lags())

        async def purge() -> None:
            watch.purged(await self.purge())

        async with asyncio.TaskGroup() as loops:
            loops.create_task(every(ROLL_UP_SECONDS, stopping, "roll-up", roll_up))
            loops.create_task(every(self._pause_seconds, stopping, "purge", purge))
            loops.create_task(every(TIDY_SECONDS, stopping, "tidying", self.tidy))

    async def roll_up(self) -> int:
        """Add what was settled to the hourly totals; the number of reservations taken. See `roll_up_v1`."""
        tenants = await self._tenants(statements.UNCOUNTED_TENANTS, SETTLE_MARGIN)
        return await self._work_off(tenants, self._roll_up_step, ROLL_UP_ROWS)

    async def purge(self) -> int:
        """Delete the reservations whose horizon has passed; the number deleted."""
        tenants = await self._tenants(statements.DUE_TENANTS, self._horizon)
        self._places.clear()
        return await self._work_off(tenants, self._purge_step, self._batch)

    async def tidy(self) -> int:
        """Delete tombstones, ended windows, and old totals and refusals; the number deleted."""
        tombstones = await self._tenants(statements.TOMBSTONE_TENANTS)
        deleted = await self._work_off(tombstones, self._tombstone_step, self._batch)
        windows = await self._tenants(statements.ENDED_WINDOW_TENANTS, self._horizon)
        deleted += await self._work_off(windows, self._window_step, self._batch)
        records = await self._tenants(statements.OLD_RECORD_TENANTS, self._usage_retention, self._refusal_retention)
        return deleted + await self._work_off(records, self._record_step, self._batch)

    async def lags(self) -> Lags:
        async with self._connections.acquire() as connection:
            row = await connection.fetchrow(statements.LAGS, self._horizon)
        return Lags(row["roll_up"], row["purge"]) if row else Lags(0.0, 0.0)

    async def _roll_up_step(self, tenant_id: str) -> int:
        return await self._count(statements.ROLL_UP, tenant_id, SETTLE_MARGIN, ROLL_UP_ROWS)

    async def _purge_step(self, tenant_id: str) -> int:
        async with self._connections.acquire() as connection:
            row = await connection.fetchrow(
                statements.PURGE, tenant_id, self._horizon, self._places.get(tenant_id), self._batch
            )
        if row is None:
            return 0
        if row["last_time"] is not None:
            self._places[tenant_id] = row["last_time"]
        return int(row["purged"])

    async def _tombstone_step(self, tenant_id: str) -> int:
        return await self._count(statements.PURGE_TOMBSTONES, tenant_id, TOMBSTONE_KEPT, TOMBSTONES_MAX, self._batch)

    async def _window_step(self, tenant_id: str) -> int:
        return await self._count(statements.PURGE_WINDOWS, tenant_id, self._horizon, LEASE_TOTAL_MAX, self._batch)

    async def _record_step(self, tenant_id: str) -> int:
        retentions = self._usage_retention, self._refusal_retention
        return await self._count(statements.PURGE_RECORDS, tenant_id, *retentions, self._batch)

    async def _tenants(self, statement: str, *arguments: object) -> list[str]:
        async with self._connections.acquire() as connection:
            return [row["tenant_id"] for row in await connection.fetch(statement, *arguments)]

    async def _count(self, statement: str, *arguments: object) -> int:
        async with self._connections.acquire() as connection:
            value: Any = await connection.fetchval(statement, *arguments)
        return int(value)

    async def _work_off(self, tenants: list[str], step: Step, batch: int) -> int:
        """One step for each tenant in turn, until none has a whole batch left: a large one keeps no other waiting."""
        done = 0
        while tenants and not self._stopping.is_set():
            rest = []
            for tenant_id in tenants:
                async with self._stepping:
                    started = time.monotonic()
                    taken = await self._step(step, tenant_id)
                    await pause((time.monotonic() - started) * IDLE_PER_BUSY, self._stopping)
                done += taken
                if taken >= batch:
                    rest.append(tenant_id)
            tenants = rest
        return done

    async def _step(self, step: Step, tenant_id: str) -> int:
        try:
            return await step(tenant_id)
        except StoreUnavailable:
            raise
        except Overloaded:
            return 0  # its windows are busy: the next turn is soon enough
        except Exception:
            # One tenant's defect must not keep the others' rows.
            log.exception("retention failed", tenant_id=tenant_id)
            return 0
