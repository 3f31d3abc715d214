"""The ledger as every RPC calls it: what it answered is counted in one place."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TypeVar

import structlog

from quotad.core.operations import Answer, Check, CheckAnswer, Finalize, Operation, SettleAnswer
from quotad.errors import CallerNotAllowed, QuotaError
from quotad.server import metrics
from quotad.server.interceptors import CALLER
from quotad.store.ledger import Ledger
from quotad.store.tokens import Token
from quotad.store.unbilled import Unbilled, UnbilledUsage
from quotad.values import KeyDescription, ReservationState, Subject

AnswerKind = TypeVar("AnswerKind")

log = structlog.get_logger(__name__)


class Answering:
    """Performs operations and notes what became of them."""

    def __init__(self, ledger: Ledger, unbilled: Unbilled, operation_seconds_max: float) -> None:
        self._ledger = ledger
        self._unbilled = unbilled
        self._operation_seconds_max = operation_seconds_max

    async def perform(
        self, operations: Sequence[Operation], timeouts: Sequence[float | None]
    ) -> list[Answer | Exception]:
        """One answer per operation, in order. Each has its own seconds, or the daemon's bound."""
        now, bound = asyncio.get_running_loop().time(), self._operation_seconds_max
        ends_at = [now + (bound if given is None else min(given, bound)) for given in timeouts]
        caller = CALLER.get()
        if not caller.may_charge_unreserved and any(_is_unreserved(operation) for operation in operations):
            return await self._perform_reserved(caller, operations, ends_at)
        return await self._perform(caller, operations, ends_at)

    async def _perform(
        self, caller: Token, operations: Sequence[Operation], ends_at: Sequence[float]
    ) -> list[Answer | Exception]:
        answers = await self._ledger.perform(operations, ends_at, caller.may_touch)
        metrics.note_operations(zip(operations, answers, strict=True))
        for operation, answer in zip(operations, answers, strict=True):
            if isinstance(operation, Finalize) and isinstance(answer, SettleAnswer):
                self._note_finalized(caller, operation, answer)
            elif isinstance(answer, Exception) and not isinstance(answer, QuotaError):
                log.error("operation failed", operation=type(operation).__name__, exc_info=answer)
        return answers

    async def _perform_reserved(
        self, caller: Token, operations: Sequence[Operation], ends_at: Sequence[float]
    ) -> list[Answer | Exception]:
        """For a caller that may not charge without a reservation."""
        places = [place for place, operation in enumerate(operations) if not _is_unreserved(operation)]
        refusal = CallerNotAllowed("the caller's token may not charge usage without a reservation")
        answers: list[Answer | Exception] = [refusal] * len(operations)
        if places:
            allowed = [operations[place] for place in places]
            performed = await self._perform(caller, allowed, [ends_at[place] for place in places])
            for place, answer in zip(places, performed, strict=True):
                answers[place] = answer
        return answers

    async def one(self, operation: Operation, kind: type[AnswerKind], seconds: float | None) -> AnswerKind:
        """The answer to a single operation; raises what kept it from having one."""
        (answer,) = await self.perform([operation], [seconds])
        if isinstance(answer, kind):
            return answer
        raise answer if isinstance(answer, Exception) else TypeError(f"{type(answer).__name__} is no answer to this")

    async def check(self, operation: Check) -> CheckAnswer:
        return await self._ledger.check(operation, CALLER.get().may_touch)

    async def describe_key(self, subject: Subject) -> KeyDescription:
        return await self._ledger.describe_key(subject, CALLER.get().may_touch)

    def _note_finalized(self, caller: Token, operation: Finalize, answer: SettleAnswer) -> None:
        metrics.note_finalized(answer)
        found = answer.reservation
        if found.state is ReservationState.RELEASED:
            self._unbilled.note(UnbilledUsage(found.tenant_id, caller.name, found.reservation_id, operation.amounts))


def _is_unreserved(operation: Operation) -> bool:
    return isinstance(operation, Finalize) and operation.allow_unreserved
