"""The ledger as every RPC calls it: what it answered is counted in one place."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TypeVar

import structlog

from quotad.core.operations import Answer, Check, CheckAnswer, Finalize, Operation, SettleAnswer
from quotad.errors import QuotaError
from quotad.server import metrics
from quotad.store.ledger import Ledger
from quotad.values import KeyDescription, ReservationState, Subject

AnswerKind = TypeVar("AnswerKind")

log = structlog.get_logger(__name__)


class Answering:
    """Performs operations and notes what became of them."""

    def __init__(self, ledger: Ledger, operation_seconds_max: float) -> None:
        self._ledger = ledger
        self._operation_seconds_max = operation_seconds_max

    async def perform(
        self, operations: Sequence[Operation], timeouts: Sequence[float | None]
    ) -> list[Answer | Exception]:
        """One answer per operation, in order. Each has its own seconds, or the daemon's bound."""
        now, bound = asyncio.get_running_loop().time(), self._operation_seconds_max
        ends_at = [now + (bound if given is None else min(given, bound)) for given in timeouts]
        answers = await self._ledger.perform(operations, ends_at)
        for operation, answer in zip(operations, answers, strict=True):
            _note(operation, answer)
        return answers

    async def one(self, operation: Operation, kind: type[AnswerKind], seconds: float | None) -> AnswerKind:
        """The answer to a single operation; raises what kept it from having one."""
        (answer,) = await self.perform([operation], [seconds])
        if isinstance(answer, kind):
            return answer
        raise answer if isinstance(answer, Exception) else TypeError(f"{type(answer).__name__} is no answer to this")

    async def check(self, operation: Check) -> CheckAnswer:
        return await self._ledger.check(operation)

    async def describe_key(self, subject: Subject) -> KeyDescription:
        return await self._ledger.describe_key(subject)


def _note(operation: Operation, answer: Answer | Exception) -> None:
    if isinstance(operation, Finalize) and isinstance(answer, SettleAnswer):
        metrics.note_finalized(answer)
        if answer.reservation.state is ReservationState.RELEASED:
            log.warning(
                "usage not charged: released before",
                tenant_id=answer.reservation.tenant_id,
                reservation_id=operation.reservation_id,
                amounts=dict(operation.amounts),
            )
    elif isinstance(answer, Exception) and not isinstance(answer, QuotaError):
        log.error("operation failed", operation=type(operation).__name__, exc_info=answer)
