"""Keeping the holds of running requests alive: one background loop renews all of a process (B1)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from quotad.client.data import DataClient
from quotad.client.types import OutcomeUnknown, Renewal, Scope
from quotad.errors import QuotaError

RENEWALS_PER_LEASE = 3
"""Two renewals may fail before a lease lapses."""
IDS_MAX = 1000
"""Ids in one call, as the ledger bounds it."""

log = structlog.get_logger(__name__)


class LeaseKeeper:
    """Renews what is open. A hold that lapsed all the same is charged late, so its request simply goes on."""

    def __init__(self, quota: DataClient, lease_seconds: float) -> None:
        self._quota = quota
        self._lease_seconds = lease_seconds
        self._open: dict[str, str] = {}
        """Reservation id to tenant id."""

    def keep(self, reservation_id: str, tenant_id: str) -> None:
        """Renew this one from now on."""
        self._open[reservation_id] = tenant_id

    def drop(self, reservation_id: str) -> None:
        """Its settlement is decided."""
        self._open.pop(reservation_id, None)

    async def run(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(self._lease_seconds / RENEWALS_PER_LEASE)
            try:
                await self._renew_all()
            except Exception:
                # Without this loop every long request of the worker would lose its hold.
                log.exception("leases not renewed by a defect")

    async def _renew_all(self) -> None:
        for tenant_id in set(self._open.values()):
            ids = [key for key, tenant in self._open.items() if tenant == tenant_id]
            for start in range(0, len(ids), IDS_MAX):
                await self._renew(ids[start : start + IDS_MAX], tenant_id)

    async def _renew(self, ids: Sequence[str], tenant_id: str) -> None:
        try:
            renewals = await self._quota.renew(ids, lease_seconds=self._lease_seconds, scope=Scope(tenant_id=tenant_id))
        except (QuotaError, OutcomeUnknown) as exc:
            # The next round tries again; until then the leases have time left.
            log.warning("leases not renewed", reservations=len(ids), error=str(exc))
            return
        for renewal in renewals:
            self._note(renewal)

    def _note(self, renewal: Renewal) -> None:
        if renewal.error is None:
            return
        is_open = self._open.pop(renewal.reservation_id, None) is not None
        if is_open:
            log.warning("lease lost", reservation_id=renewal.reservation_id, reason=renewal.error.reason)
