"""One batch of one tenant's operations: the optimistic path for what is usual, the locked path for the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from quotad.core.operations import Bound, Expire, ExpireAnswer, PlanAnswer
from quotad.errors import DeadlinePassed, Overloaded
from quotad.store import statements
from quotad.store.cache import Cache
from quotad.store.connections import Connection, StoreSettings
from quotad.store.failures import ConfigurationMoved, LapsedInTheWay, PlanAgain, translated
from quotad.store.locked import OUTAGE_AFTER, run_locked
from quotad.store.optimistic import OptimisticPath
from quotad.store.refusals import Refusals

PLANS_MAX = 20
"""Plans made for one batch before it answers `OVERLOADED`; each new one means that somebody else got ahead."""
EXPIRE_SLICE = 200
"""Lapsed reservations moved in one transaction: few enough that nobody waits long for their windows."""
TIME_IS_UP = DeadlinePassed("the operation's time was up before it was written")


class Batches:
    """Runs batches on connections that the caller holds."""

    def __init__(
        self,
        cache: Cache,
        settings: StoreSettings,
        refusals: Refusals,
        on_miss: Callable[[], object] = lambda: None,
    ) -> None:
        self._cache = cache
        self._settings = settings
        self._refusals = refusals
        self._optimistic = OptimisticPath(cache, settings)
        self._on_miss = on_miss

    async def run(self, connection: Connection, tenant_id: str, operations: Sequence[Bound]) -> list[PlanAnswer]:
        """One answer per operation, in order. Raises `ConfigurationMoved` where the keys must be looked up again."""
        with translated():
            answers = await self._run(connection, tenant_id, operations)
        for bound, answer in zip(operations, answers, strict=True):
            self._refusals.note_answer(tenant_id, bound, answer)
        return answers

    async def _run(self, connection: Connection, tenant_id: str, operations: Sequence[Bound]) -> list[PlanAnswer]:
        usual = await self._optimistic.usual(connection, tenant_id, operations)
        answers: list[PlanAnswer | None] = [None] * len(operations)
        if usual:
            try:
                found = await self._optimistic.run(connection, tenant_id, [operations[place] for place in usual])
            except PlanAgain as missed:
                is_stale = isinstance(missed, ConfigurationMoved)
                if is_stale and any(bound.config_version is not None for bound in operations):
                    raise
                self._on_miss()
            else:
                for place, answer in zip(usual, found, strict=True):
                    answers[place] = answer
        left = [place for place, answer in enumerate(answers) if answer is None]
        if left:
            for place, exact in zip(left, await self._exactly(connection, tenant_id, operations, left), strict=True):
                answers[place] = exact
        return [answer for answer in answers if answer is not None]

    async def expire_lapsed(self, connection: Connection, tenant_id: str) -> int:
        """Move one slice of lapsed reservations to EXPIRED, oldest first; the number moved."""
        rows = await connection.fetch(statements.LAPSED, tenant_id, EXPIRE_SLICE, OUTAGE_AFTER)
        if not rows:
            return 0
        answers = await self._locked(connection, tenant_id, [Bound(Expire(row["reservation_id"])) for row in rows])
        return sum(isinstance(answer, ExpireAnswer) and answer.expired for answer in answers)

    async def _exactly(
        self, connection: Connection, tenant_id: str, operations: Sequence[Bound], places: Sequence[int]
    ) -> list[PlanAnswer]:
        """The locked path."""
        return list(await self._locked(connection, tenant_id, [operations[place] for place in places]))

    async def _locked(
        self, connection: Connection, tenant_id: str, operations: Sequence[Bound]
    ) -> tuple[PlanAnswer, ...]:
        """Operations whose time is up meanwhile are answered so, and not written."""
        plans = 0
        while plans < PLANS_MAX:
            plans += 1
            now = asyncio.get_running_loop().time()
            wanted = [bound for bound in operations if bound.ends_at > now]
            try:
                answers = iter(await self._once(connection, tenant_id, wanted) if wanted else ())
            except ConfigurationMoved:
                self._cache.forget_tenant(tenant_id)
                if any(bound.config_version is not None for bound in operations):
                    raise
            except LapsedInTheWay:
                plans -= await self.expire_lapsed(connection, tenant_id) > 0
            except PlanAgain:
                continue
            else:
                return tuple([next(answers) if bound.ends_at > now else TIME_IS_UP for bound in operations])
        raise Overloaded("the rows of this operation are too busy")

    async def _once(
        self, connection: Connection, tenant_id: str, operations: Sequence[Bound]
    ) -> tuple[PlanAnswer, ...]:
        with translated():
            exact = await run_locked(connection, self._settings, tenant_id, operations)
        tenant = self._cache.note_keys(tenant_id, exact.config_version, exact.keys)
        self._cache.note_windows(tenant, exact.windows)
        self._cache.note_reservations(tenant_id, exact.reservations)
        return exact.answers
