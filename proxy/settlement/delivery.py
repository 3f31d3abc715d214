"""Bringing decided settlements to quotad: tracked, in the background, with the same id until the answer is definite.

    answer                                                   what follows
    OK; FINALIZE_MISMATCH                                    done; a mismatch or a lost charge is counted and logged
    RESERVATION_NOT_FOUND                                    once more as an unreserved charge, with its age
    unavailable, unknown outcome, the worker's own token     again later; others pass meanwhile
    any other refusal                                        set aside: kept in a file, counted and logged

A settlement that has no answer when `settle_wait_seconds` are over, or whose first try was in vain, is written to the
outbox. It stays in memory, too, and is repeated until it is delivered or this process stops.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import stamina
import structlog
from prometheus_client import Counter, Gauge

from proxy.config import ProxySettings
from proxy.settlement.answers import DELIVERY_SECONDS_MAX, is_indefinite
from proxy.settlement.decision import Charge
from proxy.settlement.messages import (
    PendingSettlement,
    Unreadable,
    entry_of,
    intent_of,
    read_settlement,
)
from proxy.settlement.outbox import Outbox, OutboxUnusable
from quotad.client.connection import Connection
from quotad.client.settling import SettlingClient
from quotad.client.types import OutcomeUnknown, ReservationState, Settlement
from quotad.errors import FinalizeMismatch, QuotaError, ReservationNotFound
from servicekit.journal import Entry

RETRY_PAUSE_SECONDS = 0.1

log = structlog.get_logger(__name__)

settlements = Counter("proxy_settlements", "Settlements that ended, by what became of them.", ["outcome"])
settlements_pending = Gauge("proxy_settlements_pending", "Settlements that quotad has not acknowledged yet.")
oldest_seconds = Gauge("proxy_settlements_oldest_seconds", "Age of the oldest settlement that is not acknowledged.")
set_aside = Gauge("proxy_settlements_set_aside", "Settlements in files that wait for the operator.")


@dataclass(frozen=True, slots=True)
class Delivered:
    """What the ledger says of the reservation now; None where it refused the settlement for good."""

    state: ReservationState | None


@dataclass(slots=True, eq=False)
class Parcel:
    """One settlement on its way."""

    settlement: PendingSettlement
    safe: asyncio.Event = field(default_factory=asyncio.Event)
    """quotad has answered, or it is in the outbox, or the outbox cannot be written."""
    timer: asyncio.TimerHandle | None = None
    writing: asyncio.Task[None] | None = None
    is_marked: bool = False
    """Some of it may be on the disk, so its end has to be marked there."""
    is_kept: bool = False
    """It is on the disk."""
    is_over: bool = False
    """Nothing more is to be done about it."""


class Delivery:
    """All settlements of a process. `async with` drains it, bounded by `settle_stop_seconds`, then keeps the rest."""

    def __init__(self, connection: Connection, settings: ProxySettings) -> None:
        self._client = SettlingClient(connection)
        self._calls = asyncio.Semaphore(settings.settle_calls_max)
        self._pause_seconds_max = settings.settle_retry_seconds_max
        self._wait_seconds = settings.settle_wait_seconds
        self._safe_seconds = settings.settle_wait_seconds + 2 * settings.outbox_write_seconds
        self._stop_seconds = settings.settle_stop_seconds
        self._adopt_seconds = settings.outbox_adopt_seconds
        self._pending_max = settings.settlements_max
        self._pending: dict[asyncio.Task[Delivered], Parcel] = {}
        self._adopted: deque[PendingSettlement] = deque()
        self._outbox = Outbox(settings)
        self._attending: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._outbox.open()
        self._attending = asyncio.create_task(self._attend(), name="attend to outboxes")
        oldest_seconds.set_function(self._oldest_seconds)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._attending is not None:
            self._attending.cancel()
            await asyncio.gather(self._attending, return_exceptions=True)
        self._adopted.clear()  # it lies in the outbox
        await self._drain()
        await self._outbox.close()

    @property
    def is_full(self) -> bool:
        """No more requests should be admitted, since none of them could be settled."""
        return len(self._pending) >= self._pending_max

    @property
    def failure(self) -> str | None:
        """Why the outbox cannot be written; None while all is well."""
        return self._outbox.failure

    def submit(self, settlement: PendingSettlement) -> asyncio.Task[Delivered]:
        """Start to deliver. Whoever waits for the task must not cancel it."""
        parcel = Parcel(settlement, is_marked=settlement.unreserved)
        task = self._start(parcel)
        if settlement.unreserved:
            # quotad was away a moment ago, and on the disk there is an estimate until this takes its place.
            self._keep(parcel)
        else:
            parcel.timer = asyncio.get_running_loop().call_later(self._wait_seconds, self._keep, parcel)
        return task

    async def safe(self, task: asyncio.Task[Delivered]) -> None:
        """Return when quotad has answered, or the settlement is in the outbox, or cannot be put there."""
        parcel = self._pending.get(task)
        if parcel is None:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(self._safe_seconds):
                await parcel.safe.wait()

    async def intend(self, settlement: PendingSettlement) -> None:
        """Write down the charge of a request that nothing is held for; raises `OutboxUnusable`.

        It is charged if this process dies before it submits what the request really used.
        """
        try:
            await self._outbox.put(intent_of(settlement))
        except BaseException:
            self._outbox.end(settlement.reservation_id)
            raise

    def _start(self, parcel: Parcel) -> asyncio.Task[Delivered]:
        task = asyncio.create_task(self._deliver(parcel), name=f"settle {parcel.settlement.reservation_id}")
        self._pending[task] = parcel
        settlements_pending.inc()
        task.add_done_callback(self._ended)
        return task

    async def _deliver(self, parcel: Parcel) -> Delivered:
        delivered = await self._outcome(parcel)
        parcel.is_over = delivered.state is not None or await self._set_aside(entry_of(parcel.settlement))
        return delivered

    async def _outcome(self, parcel: Parcel) -> Delivered:
        settlement = parcel.settlement
        seconds = DELIVERY_SECONDS_MAX - (datetime.now(UTC) - settlement.decide_time).total_seconds()
        if seconds <= 0:
            _note("expired", settlement, None)
            return Delivered(None)
        try:
            async for attempt in stamina.retry_context(
                on=is_indefinite,
                attempts=None,
                timeout=seconds,
                wait_initial=RETRY_PAUSE_SECONDS,
                wait_max=self._pause_seconds_max,
            ):
                if attempt.num == 2:
                    log.warning("settlement delayed", reservation_id=settlement.reservation_id)
                with attempt:
                    return _delivered(settlement, await self._try(parcel))
        except FinalizeMismatch as error:
            state = error.reservation.state if error.reservation else ReservationState.FINALIZED
            _note("mismatch", settlement, error)
            return Delivered(state)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing more can be done but tell the operator
            _note("set_aside", settlement, error)
        return Delivered(None)

    async def _try(self, parcel: Parcel) -> Settlement:
        async with self._calls:
            try:
                return await self._call(parcel.settlement)
            except Exception as error:
                if not isinstance(error, QuotaError | OutcomeUnknown):
                    log.exception("settlement failed by a defect", reservation_id=parcel.settlement.reservation_id)
                if is_indefinite(error):
                    self._keep(parcel)
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
        if settlement.unreserved:
            return await self._charge_unreserved(settlement, charge)
        try:
            return await self._client.finalize(
                settlement.reservation_id, amounts=charge.amounts, basis=charge.basis, scope=settlement.scope
            )
        except ReservationNotFound:
            return await self._charge_unreserved(settlement, charge)

    async def _charge_unreserved(self, settlement: PendingSettlement, charge: Charge) -> Settlement:
        return await self._client.finalize(
            settlement.reservation_id,
            amounts={**settlement.held, **charge.amounts},
            basis=charge.basis,
            scope=settlement.scope,
            allow_unreserved=True,
            model=settlement.model,
            age_seconds=max(0.0, (datetime.now(UTC) - settlement.start_time).total_seconds()),
        )

    async def _set_aside(self, entry: Entry) -> bool:
        """Whether it may be forgotten here: an operator finds it in a file."""
        is_written = await self._outbox.set_aside({"reservation_id": entry.entry_id, **entry.content})
        if is_written:
            set_aside.inc()
        return is_written

    def _keep(self, parcel: Parcel) -> None:
        """Write it down, unless that is done or under way."""
        if not (parcel.is_kept or parcel.writing or parcel.is_over):
            parcel.is_marked = True
            parcel.writing = asyncio.create_task(
                self._write_down(parcel), name=f"keep {parcel.settlement.reservation_id}"
            )

    async def _write_down(self, parcel: Parcel) -> None:
        try:
            await self._outbox.put(entry_of(parcel.settlement))
            parcel.is_kept = True
        except OutboxUnusable:
            pass  # the outbox has told it; the settlement stays in memory, and is tried again
        finally:
            parcel.writing = None
            parcel.safe.set()

    def _ended(self, task: asyncio.Task[Delivered]) -> None:
        parcel = self._pending.pop(task)
        settlements_pending.dec()
        if parcel.timer is not None:
            parcel.timer.cancel()
        if parcel.is_marked and parcel.is_over:
            self._outbox.end(parcel.settlement.reservation_id)
        parcel.safe.set()
        self._feed()

    async def _attend(self) -> None:
        """Take over what dead workers left, and what could not be written try again."""
        while True:
            try:
                await self._adopt()
                self._outbox.try_again()
                for parcel in tuple(self._pending.values()):
                    if parcel.is_marked:
                        self._keep(parcel)
                set_aside.set(await self._outbox.count_set_aside())
            except Exception:
                # Without this loop nobody would deliver what another worker left behind.
                log.exception("outboxes not attended to by a defect")
            await asyncio.sleep(self._adopt_seconds)

    async def _adopt(self) -> None:
        for entry in await self._outbox.adopt():
            try:
                self._adopted.append(read_settlement(entry))
            except Unreadable as error:
                log.error("entry of an outbox unusable", reservation_id=entry.entry_id, error=str(error))  # noqa: TRY400
                if await self._set_aside(entry):
                    self._outbox.end(entry.entry_id)
        self._feed()

    def _feed(self) -> None:
        """Start to deliver what was taken over, as far as this process's own settlements have room beside it."""
        while self._adopted and len(self._pending) < max(1, self._pending_max // 2):
            self._start(Parcel(self._adopted.popleft(), is_marked=True, is_kept=True))

    async def _drain(self) -> None:
        if self._pending:
            await asyncio.wait(self._pending, timeout=self._stop_seconds)
        undelivered = dict(self._pending)
        for parcel in undelivered.values():
            self._keep(parcel)
        writing = [parcel.writing for parcel in undelivered.values() if parcel.writing]
        await asyncio.gather(*writing)
        for task, parcel in undelivered.items():
            if not parcel.is_kept:
                _note("undelivered", parcel.settlement, None)
            task.cancel()
        await asyncio.gather(*undelivered, return_exceptions=True)

    def _oldest_seconds(self) -> float:
        times = [parcel.settlement.decide_time for parcel in self._pending.values()]
        return (datetime.now(UTC) - min(times)).total_seconds() if times else 0.0


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
