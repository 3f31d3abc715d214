"""Usage that was reported after its reservation had been released: noted in the audit log, off the hot path."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

import structlog

from quotad.administration import Author
from quotad.errors import Unavailable
from quotad.store import audit_log
from quotad.store.audit_log import Action, Change, ResourceKind
from quotad.store.connections import Connections
from quotad.store.loops import every
from quotad.values import Amounts

WRITE_SECONDS = 1.0
ENTRIES_MAX = 10_000
"""Entries that may wait to be written; beyond that the oldest are in the log of the process alone."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class UnbilledUsage:
    """A Finalize that changed nothing, because a Release came first."""

    tenant_id: str
    token_name: str
    reservation_id: str
    amounts: Amounts


class Unbilled:
    """Entries on their way to the audit log."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._waiting: deque[UnbilledUsage] = deque(maxlen=ENTRIES_MAX)

    def note(self, usage: UnbilledUsage) -> None:
        log.warning(
            "usage not charged: released before",
            tenant_id=usage.tenant_id,
            reservation_id=usage.reservation_id,
            amounts=dict(usage.amounts),
        )
        self._waiting.append(usage)

    async def run(self, stopping: asyncio.Event) -> None:
        """Write what waits each second, and once more at the end."""
        await every(WRITE_SECONDS, stopping, "unbilled usage", self._write)
        try:
            await self._write()
        except Unavailable as away:
            log.warning("audit log not written", reason=away.reason, entries=len(self._waiting))

    async def _write(self) -> None:
        while self._waiting:
            usage = self._waiting[0]
            change = Change(
                Action.FINALIZE_RELEASED, ResourceKind.RESERVATION, usage.reservation_id, after=dict(usage.amounts)
            )
            async with self._connections.acquire() as connection:
                await audit_log.note(connection, usage.tenant_id, Author(usage.token_name, ""), change)
            self._waiting.popleft()
