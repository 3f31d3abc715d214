"""Bringing decided settlements to quotad: tracked, in the background, with the same id until the answer is definite.

    answer                                                   what follows
    OK; FINALIZE_MISMATCH                                    done; a mismatch or a lost charge is counted and logged
    RESERVATION_NOT_FOUND                                    once more as an unreserved charge, with its age
    unavailable, unknown outcome, the worker's own token     again later; others pass meanwhile
    any other refusal                                        set aside: counted, and logged for the operator

Undelivered settlements live in this process's memory. What is left when it stops is logged with its amounts.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import stamina
import structlog
from prometheus_client import Counter, Gauge

from proxy.config import ProxySettings
from proxy.settlement.decision import Charge, Decision
from quotad.client.connection import Connection
from quotad.client.settling import SettlingClient
from quotad.client.types import Amounts, OutcomeUnknown, ReservationState, Scope, Settlement
from quotad.errors import (
    CallerNotAllowed,
    CallerUnauthenticated,
    EtagMismatch,
    FinalizeMismatch,
    QuotaError,
    ReservationNotFound,
    Unavailable,
)

RETRIED = (OutcomeUnknown, Unavailable, EtagMismatch, CallerUnauthenticated, CallerNotAllowed)
RETRY_SECONDS_MAX = 6 * 24 * 3600.0
"""Below the ledger's idempotency horizon of 7 days, after which a repeat might be charged anew."""
RETRY_PAUSE_SECONDS = 0.1

log = structlog.get_logger(__name__)

settlements = Counter("proxy_settlements", "Settlements that ended, by what became of them.", ["outcome"])
settlements_pending = Gauge("proxy_settlements_pending", "Settlements that quotad has not acknowledged yet.")


@dataclass(frozen=True, slots=True)
class PendingSettlement:
    """A decision on its way. It never changes: a Finalize that was tried is only repeated."""

    reservation_id: str
    scope: Scope
    model: str
    start_time: datetime
    held: Amounts
    decision: Decision


@dataclass(frozen=True, slots=True)
class Delivered:
    """What the ledger says of the reservation now; None where it refused the settlement for good."""

    state: ReservationState | None


class Delivery:
    """All settlements of a process. `async with` drains it, bounded by `settle_stop_seconds`."""

    def __init__(self, connection: Connection, settings: ProxySettings) -> None:
        self._client = SettlingClient(connection)
        self._calls = asyncio.Semaphore(settings.settle_calls_max)
        self._pause_seconds_max = settings.settle_retry_seconds_max
        self._stop_seconds = settings.settle_stop_seconds
        self._pending_max = settings.settlements_max
        self._pending: dict[asyncio.Task[Delivered], PendingSettlement] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._drain()

    @property
    def is_full(self) -> bool:
        """No more requests should be admitted, since none of them could be settled."""
        return len(self._pending) >= self._pending_max

    def submit(self, settlement: PendingSettlement) -> asyncio.Task[Delivered]:
        """Start to deliver. Whoever waits for the task must not cancel it."""
        task = asyncio.create_task(self._deliver(settlement), name=f"settle {settlement.reservation_id}")
        self._pending[task] = settlement
        settlements_pending.inc()
        task.add_done_callback(self._ended)
        return task

    async def _deliver(self, settlement: PendingSettlement) -> Delivered:
        try:
            async for attempt in stamina.retry_context(
                on=_is_indefinite,
                attempts=None,
                timeout=RETRY_SECONDS_MAX,
                wait_initial=RETRY_PAUSE_SECONDS,
                wait_max=self._pause_seconds_max,
            ):
                if attempt.num == 2:
                    log.warning("settlement delayed", reservation_id=settlement.reservation_id)
                with attempt:
                    return _delivered(settlement, await self._try(settlement))
        except FinalizeMismatch as error:
            state = error.reservation.state if error.reservation else ReservationState.FINALIZED
            _note("mismatch", settlement, error)
            return Delivered(state)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing more can be done but tell the operator
            _note("set_aside", settlement, error)
        return Delivered(None)

    async def _try(self, settlement: PendingSettlement) -> Settlement:
        async with self._calls:
            try:
                return await self._call(settlement)
            except (QuotaError, OutcomeUnknown):
                raise
            except Exception:
                log.exception("settlement failed by a defect", reservation_id=settlement.reservation_id)
                raise

    async def _call(self, settlement: PendingSettlement) -> Settlement:
        match settlement.decision:
            case Charge() as charge:
                return await self._charge(settlement, charge)
            case _ as given_back:
                return await self._client.release(
                    settlement.reservation_id, reason=given_back.reason, scope=settlement.scope
                )

    async def _charge(self, settlement: PendingSettlement, charge: Charge) -> Settlement:
        try:
            return await self._client.finalize(
                settlement.reservation_id, amounts=charge.amounts, basis=charge.basis, scope=settlement.scope
            )
        except ReservationNotFound:
            return await self._client.finalize(
                settlement.reservation_id,
                amounts={**settlement.held, **charge.amounts},
                basis=charge.basis,
                scope=settlement.scope,
                allow_unreserved=True,
                model=settlement.model,
                age_seconds=max(0.0, (datetime.now(UTC) - settlement.start_time).total_seconds()),
            )

    def _ended(self, task: asyncio.Task[Delivered]) -> None:
        del self._pending[task]
        settlements_pending.dec()

    async def _drain(self) -> None:
        if self._pending:
            await asyncio.wait(self._pending, timeout=self._stop_seconds)
        undelivered = dict(self._pending)
        for task, settlement in undelivered.items():
            _note("undelivered", settlement, None)
            task.cancel()
        await asyncio.gather(*undelivered, return_exceptions=True)


def _is_indefinite(error: BaseException) -> bool:
    """Whether a repeat may do better: only the ledger's own refusals are definite, and not all of those."""
    # The retry context asks about a cancellation, too.
    return isinstance(error, RETRIED) or (isinstance(error, Exception) and not isinstance(error, QuotaError))


def _delivered(settlement: PendingSettlement, answer: Settlement) -> Delivered:
    state = answer.reservation.state
    if isinstance(settlement.decision, Charge) and state is ReservationState.RELEASED:
        _note("released_before", settlement, None)
    else:
        settlements.labels(state.value).inc()
    return Delivered(state)


def _note(outcome: str, settlement: PendingSettlement, error: Exception | None) -> None:
    """Count and log a settlement that did not end as decided, with what an operator needs to put it right."""
    settlements.labels(outcome).inc()
    decision = settlement.decision
    log.error(
        "settlement did not end as decided",
        outcome=outcome,
        reservation_id=settlement.reservation_id,
        model=settlement.model,
        amounts=dict(decision.amounts) if isinstance(decision, Charge) else None,
        error=str(error) if error else None,
    )
