"""A reservation as a block: held on entry, settled on every way out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import structlog

from quotad.client.data import DataClient
from quotad.client.retrying import is_in_doubt
from quotad.client.settling import SettlingClient
from quotad.client.types import Grant, OutcomeUnknown, Settlement
from quotad.errors import FinalizeMismatch, QuotaError, ReservationConflict, ReservationIdReused, Unavailable
from quotad.values import Amounts, Basis, Scope

RENEWALS_PER_LEASE = 3
"""Two renewals may fail before a lease lapses."""
RENEW_PAUSE_SECONDS_MIN = 0.3

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a block reports, once and for all."""

    amounts: Amounts
    basis: Basis | None
    labels: Mapping[str, str] | None


class Endings:
    """Settlements that outlive a caller who is cancelled, until they have ended."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[object]] = set()

    async def run(self, ending: Coroutine[Any, Any, object]) -> None:
        """Await it; a caller that is cancelled leaves it running, and its failure is then logged."""
        task = asyncio.create_task(ending)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_tell)
            raise

    async def wait(self) -> None:
        """Until all have ended, which the bounds of their calls see to. Whoever is cancelled meanwhile ends none."""
        while self._tasks:
            await asyncio.wait(self._tasks)


def _tell(task: asyncio.Task[object]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("reservation not settled", error=str(error))


class Held:
    """An open reservation. Finalize it with what was used; leaving its block without that gives it back.

    Once a Finalize was tried it is never released: leaving the block repeats it, and raises where it still has no
    definite answer. Once the block has given the hold back, it cannot be finalized. The lease is renewed while the
    block runs.
    """

    grant: Grant

    def __init__(
        self,
        data: DataClient,
        settling: SettlingClient,
        endings: Endings,
        reserve: Callable[[], Awaitable[Grant]],
        *,
        reservation_id: str,
        scope: Scope,
        lease_seconds: float | None,
    ) -> None:
        self.reservation_id = reservation_id
        self._data = data
        self._settling = settling
        self._endings = endings
        self._reserve = reserve
        self._scope = scope
        self._lease_seconds = lease_seconds
        self._usage: Usage | None = None
        self._is_given_back = False
        self._is_settled = False

    async def __aenter__(self) -> Self:
        try:
            self.grant = await self._reserve()
        except (OutcomeUnknown, Unavailable, asyncio.CancelledError):
            await self._give_back()  # it may be held all the same, and nothing will be served under it
            raise
        except (ReservationConflict, ReservationIdReused):
            raise  # the id has its end already, or is somebody else's
        except QuotaError as refused:
            if is_in_doubt(refused):
                await self._give_back()
            raise
        self._renewing = asyncio.create_task(self._keep())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._renewing.cancel()
        if self._is_settled:
            return
        if self._usage is None:
            await self._give_back()
        else:
            await self._endings.run(self._finalize(self._usage))

    async def finalize(
        self, amounts: Amounts, *, basis: Basis | None = None, labels: Mapping[str, str] | None = None
    ) -> Settlement:
        """Charge what was used. The first call decides: a repeat says the same again, whatever it is given."""
        if self._is_given_back:
            raise RuntimeError("the block has ended without usage, and its hold was given back")
        if self._usage is None:
            self._usage = Usage(dict(amounts), basis, labels)
        return await self._finalize(self._usage)

    async def _finalize(self, usage: Usage) -> Settlement:
        try:
            settlement = await self._settling.finalize(
                self.reservation_id, amounts=usage.amounts, basis=usage.basis, scope=self._scope, labels=usage.labels
            )
        except FinalizeMismatch:
            self._is_settled = True  # charged already, by somebody else
            raise
        self._is_settled = True
        return settlement

    async def _give_back(self) -> None:
        self._is_given_back = True
        await self._endings.run(self._release())

    async def _release(self) -> None:
        """A release that fails costs nobody anything: the lease lapses, and the block's own error matters more."""
        try:
            await self._settling.release(self.reservation_id, scope=self._scope)
        except (QuotaError, OutcomeUnknown) as error:
            log.warning("reservation not released", reservation_id=self.reservation_id, error=str(error))

    async def _keep(self) -> None:
        """Renew until cancelled, or until the lease is lost: its usage is then charged late."""
        lease = self.grant.reservation.expire_time - self.grant.server_time
        pause = max(lease.total_seconds() / RENEWALS_PER_LEASE, RENEW_PAUSE_SECONDS_MIN)
        while True:
            await asyncio.sleep(pause)
            try:
                (renewal,) = await self._data.renew(
                    [self.reservation_id], lease_seconds=self._lease_seconds, scope=self._scope
                )
            except (QuotaError, OutcomeUnknown) as error:
                log.warning("lease not renewed", reservation_id=self.reservation_id, error=str(error))
                continue
            if renewal.error is not None:
                log.warning("lease lost", reservation_id=self.reservation_id, reason=renewal.error.reason)
                return
