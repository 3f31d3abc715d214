"""The ledger's operations: the shell around `quotad.core.plan`.

Every method may be called again with the same content. Raises the errors of `quotad.errors`; `StoreUnavailable` and
`Overloaded` say that the outcome of this call is not known and that a repeat is safe.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TypeVar

from quotad.core.operations import (
    Answer,
    Bound,
    Expire,
    ExpireAnswer,
    Finalize,
    Release,
    Renew,
    RenewAnswer,
    RenewOne,
    Reserve,
    ReserveAnswer,
    SettleAnswer,
)
from quotad.core.validation import check_finalize, check_id, check_release, check_renew, check_reserve
from quotad.errors import Overloaded, QuotaError, QuotaExceeded, ReservationNotFound
from quotad.store import statements
from quotad.store.configuration import describe, resolve_scope, resolve_subject
from quotad.store.connections import Connections, StoreSettings
from quotad.store.failures import ConnectionLost, PlanAgain
from quotad.store.locked import OUTAGE_AFTER, run_locked
from quotad.store.rows import reservation_from
from quotad.values import KeyDescription, Reservation, Scope, Subject

AnswerKind = TypeVar("AnswerKind", ReserveAnswer, SettleAnswer, RenewAnswer)

PLANS_MAX = 20
"""Plans made for one call before it answers `OVERLOADED`; each new one means that somebody else got ahead."""
EXPIRE_SLICE = 200
"""Lapsed reservations moved in one transaction: few enough that nobody waits long for their windows."""


class Ledger:
    """Reserve, renew, settle and read, on one database."""

    def __init__(self, connections: Connections, settings: StoreSettings) -> None:
        self._connections = connections
        self._settings = settings

    async def reserve(self, operation: Reserve) -> ReserveAnswer:
        """Admit or refuse; a refusal is never caused by a hold whose lease has lapsed."""
        check_reserve(operation)
        async with self._connections.acquire() as connection:
            tenant_id, api_key_id = await resolve_subject(connection, operation.subject)
        bound = [Bound(operation, api_key_id)]
        while True:
            answer = await self._answer(tenant_id, bound)
            blocked_by_holds = isinstance(answer, QuotaExceeded) and _any_held(answer)
            if not blocked_by_holds or not await self.expire_lapsed(tenant_id):
                return _returned(answer, ReserveAnswer)

    async def finalize(self, operation: Finalize) -> SettleAnswer:
        """Charge exactly once."""
        check_finalize(operation)
        return await self._settle(operation)

    async def release(self, operation: Release) -> SettleAnswer:
        """Give the hold back, or fence an id that was never seen."""
        check_release(operation)
        return await self._settle(operation)

    async def renew(self, operation: Renew) -> tuple[RenewAnswer, ...]:
        """One answer per id, in the order given."""
        check_renew(operation)
        async with self._connections.acquire() as connection:
            tenant_id, _ = await resolve_scope(connection, operation.scope)
        bound = [Bound(RenewOne(reservation_id, operation.lease)) for reservation_id in operation.reservation_ids]
        answers = await self._run(tenant_id, bound)
        return tuple(_returned(answer, RenewAnswer) for answer in answers)

    async def get_reservation(self, scope: Scope, reservation_id: str) -> Reservation:
        """Read one reservation; one whose lease has lapsed is EXPIRED, whether or not it was swept."""
        check_id("reservation_id", reservation_id)
        async with self._connections.acquire() as connection:
            tenant_id, _ = await resolve_scope(connection, scope, reservation_id)
        await self._run(tenant_id, [Bound(Expire(reservation_id))])
        async with self._connections.acquire() as connection:
            row = await connection.fetchrow(statements.RESERVATION, tenant_id, reservation_id)
        if row is None:
            raise ReservationNotFound("this reservation is unknown, or was purged")
        return reservation_from(row)

    async def describe_key(self, subject: Subject) -> KeyDescription:
        """Read a key with the state of all its limits."""
        async with self._connections.acquire() as connection:
            tenant_id, api_key_id = await resolve_subject(connection, subject)
            (description,) = await describe(connection, tenant_id, [api_key_id])
        return description

    async def expire_lapsed(self, tenant_id: str) -> int:
        """Move one slice of lapsed reservations to EXPIRED, oldest first; the number moved."""
        async with self._connections.acquire() as connection:
            rows = await connection.fetch(statements.LAPSED, tenant_id, EXPIRE_SLICE, OUTAGE_AFTER)
        if not rows:
            return 0
        answers = await self._run(tenant_id, [Bound(Expire(row["reservation_id"])) for row in rows])
        return sum(isinstance(answer, ExpireAnswer) and answer.expired for answer in answers)

    async def sweep(self) -> int:
        """Note that a sweeper is at work, then expire what has lapsed in every tenant; the number moved."""
        grace = timedelta(seconds=self._settings.default_lease_seconds)
        async with self._connections.acquire() as connection:
            await connection.execute(statements.NOTE_SWEEP, OUTAGE_AFTER, grace)
            tenants = [row["tenant_id"] for row in await connection.fetch(statements.TENANTS)]
        moved = 0
        for tenant_id in tenants:
            while count := await self.expire_lapsed(tenant_id):
                moved += count
        return moved

    async def _settle(self, operation: Finalize | Release) -> SettleAnswer:
        async with self._connections.acquire() as connection:
            tenant_id, api_key_id = await resolve_scope(connection, operation.scope, operation.reservation_id)
        return _returned(await self._answer(tenant_id, [Bound(operation, api_key_id)]), SettleAnswer)

    async def _answer(self, tenant_id: str, operations: Sequence[Bound]) -> Answer:
        (answer,) = await self._run(tenant_id, operations)
        return answer

    async def _run(self, tenant_id: str, operations: Sequence[Bound]) -> tuple[Answer, ...]:
        for _ in range(PLANS_MAX):
            try:
                async with self._connections.acquire() as connection:
                    return await run_locked(connection, self._settings, tenant_id, operations)
            except (PlanAgain, ConnectionLost):
                continue
        raise Overloaded("the rows of this operation are too busy")


def _any_held(refusal: QuotaExceeded) -> bool:
    return any(violation.status.held for violation in refusal.denial.violations)


def _returned(answer: Answer, kind: type[AnswerKind]) -> AnswerKind:
    if isinstance(answer, QuotaError):
        raise answer
    if not isinstance(answer, kind):
        raise TypeError(f"{type(answer).__name__} is no answer to this operation")
    return answer
