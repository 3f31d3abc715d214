"""The ledger's operations: validated, resolved, batched by tenant, and answered one by one.

Every operation may be sent again with the same content. `StoreUnavailable` and `Overloaded` say that the outcome of
this call is not known and that a repeat is safe.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import inf
from typing import TypeVar

from quotad.core.operations import (
    Answer,
    Check,
    CheckAnswer,
    Finalize,
    Operation,
    Read,
    ReadAnswer,
    Release,
    Renew,
    RenewAnswer,
    Reserve,
    ReserveAnswer,
    SettleAnswer,
)
from quotad.core.reserving import check, require_working
from quotad.core.state import LedgerState
from quotad.core.validation import check_subject, check_whether
from quotad.errors import QuotaExceeded
from quotad.store import statements, statements_retention
from quotad.store.batches import Batches
from quotad.store.cache import Cache
from quotad.store.configuration import describe, load_configuration, read_windows
from quotad.store.connections import Connection, Connections, StoreSettings
from quotad.store.lanes import UNWATCHED, Lanes, Watch
from quotad.store.locked import OUTAGE_AFTER
from quotad.store.optimistic import is_blocked_by_holds
from quotad.store.performer import MayTouch, Performer, every_tenant, require_touchable
from quotad.store.refusals import Refusals
from quotad.store.resolution import Resolver, Target
from quotad.values import KeyDescription, Reservation, Scope, Subject

AnswerKind = TypeVar("AnswerKind", ReserveAnswer, SettleAnswer, ReadAnswer)


class Ledger:
    """Reserve, renew, settle and read, on one database."""

    def __init__(
        self,
        connections: Connections,
        settings: StoreSettings,
        refusals: Refusals,
        watch: Watch = UNWATCHED,
    ) -> None:
        self._connections = connections
        self._settings = settings
        self._cache = Cache(settings.cache)
        self._resolver = Resolver(self._cache)
        self._batches = Batches(self._cache, settings, refusals, watch.missed)
        self._lanes = Lanes(
            connections,
            self._batches.run,
            workers=settings.workers,
            queue_max=settings.queue_max,
            batch_max=settings.batch_max,
            watch=watch,
        )
        self._performer = Performer(connections, self._resolver, self._lanes)

    async def close(self) -> None:
        await self._lanes.close()

    async def perform(
        self,
        operations: Sequence[Operation],
        ends_at: Sequence[float] | None = None,
        may_touch: MayTouch = every_tenant,
    ) -> list[Answer | Exception]:
        """One answer per operation, in order; operations succeed or fail one by one.

        Those on one id take effect in the order given. `ends_at` are their deadlines by the event loop's clock: what
        has not been written by then is answered `DeadlinePassed`. What is about a tenant that the caller may not touch
        is answered `CallerNotAllowed`.
        """
        return await self._performer.perform(operations, ends_at or [inf] * len(operations), may_touch)

    async def reserve(self, operation: Reserve) -> ReserveAnswer:
        """Admit or refuse; a refusal is never caused by a hold whose lease has lapsed."""
        return _returned(await self._perform_one(operation), ReserveAnswer)

    async def finalize(self, operation: Finalize) -> SettleAnswer:
        """Charge exactly once."""
        return _returned(await self._perform_one(operation), SettleAnswer)

    async def release(self, operation: Release) -> SettleAnswer:
        """Give the hold back, or fence an id that was never seen."""
        return _returned(await self._perform_one(operation), SettleAnswer)

    async def renew(self, operation: Renew) -> tuple[RenewAnswer, ...]:
        """One answer per id, in the order given."""
        answer = await self._perform_one(operation)
        if not isinstance(answer, tuple):
            raise _as_error(answer)
        return answer

    async def get_reservation(self, scope: Scope, reservation_id: str) -> Reservation:
        """Read one reservation; one whose lease has lapsed is EXPIRED, whether or not it was swept."""
        return _returned(await self._perform_one(Read(scope, reservation_id)), ReadAnswer).reservation

    async def check(self, operation: Check, may_touch: MayTouch = every_tenant) -> CheckAnswer:
        """What a Reserve would be answered now; raises what it would be refused with. Writes nothing of its own."""
        check_whether(operation)
        while True:
            async with self._connections.acquire() as connection:
                target = await self._resolver.key(connection, operation.subject)
                require_touchable(target.tenant_id, may_touch)
                state = await self._looked_at(connection, target, operation)
                try:
                    return check(state, operation, target.api_key_id, target.secret_expire_time)
                except QuotaExceeded as refusal:
                    lapsed = is_blocked_by_holds(refusal) and await self._batches.expire_lapsed(
                        connection, target.tenant_id
                    )
                    if not lapsed:
                        raise

    async def describe_key(self, subject: Subject, may_touch: MayTouch = every_tenant) -> KeyDescription:
        """Read a key with the state of all limits that bind it; raises `ApiKeyDisabled` for a replaced secret."""
        check_subject(subject)
        async with self._connections.acquire() as connection:
            target = await self._resolver.key(connection, subject)
            require_touchable(target.tenant_id, may_touch)
            (description,) = await describe(connection, target.tenant_id, [target.api_key_id])
        require_working(target.secret_expire_time, description.server_time)
        return description

    async def sweep(self) -> int:
        """Note that a sweeper is at work, then expire what has lapsed in every tenant; the number moved."""
        grace = timedelta(seconds=self._settings.default_lease_seconds)
        async with self._connections.acquire() as connection:
            await connection.execute(statements.NOTE_SWEEP, OUTAGE_AFTER, grace)
            lapsed = await connection.fetch(statements_retention.LAPSED_TENANTS)
        moved = 0
        for row in lapsed:
            while count := await self._expire_lapsed(row["tenant_id"]):
                moved += count
        return moved

    async def _expire_lapsed(self, tenant_id: str) -> int:
        async with self._connections.acquire() as connection:
            return await self._batches.expire_lapsed(connection, tenant_id)

    async def _perform_one(self, operation: Operation) -> Answer | Exception:
        (answer,) = await self.perform([operation])
        return answer

    async def _looked_at(self, connection: Connection, target: Target, operation: Check) -> LedgerState:
        """What a check rests on, read without a lock."""
        _, keys = await load_configuration(connection, target.tenant_id, [target.api_key_id])
        now: datetime = await connection.fetchval(statements.CLOCK)
        placed = keys[target.api_key_id].placed(operation.model, now)
        return LedgerState(
            tenant_id=target.tenant_id,
            now=now,
            lease_floor=None,
            default_lease=timedelta(seconds=self._settings.default_lease_seconds),
            horizon=timedelta(seconds=self._settings.horizon_seconds),
            keys=keys,
            windows=await read_windows(connection, target.tenant_id, placed),
        )


def _returned(answer: Answer | Exception, kind: type[AnswerKind]) -> AnswerKind:
    if isinstance(answer, kind):
        return answer
    raise _as_error(answer)


def _as_error(answer: Answer | Exception) -> Exception:
    return answer if isinstance(answer, Exception) else TypeError(f"{type(answer).__name__} is no answer to this")
