"""Group commit: what waits for one tenant goes to the database as one batch, and the next ones gather meanwhile.

A tenant has one batch under way at a time, so that the rows that its daemon remembers are the rows that it wrote. A
batch that fails leaves its lane at once and is split until whatever is wrong with it stands alone; the lane goes on.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from quotad.core.operations import Bound, PlanAnswer
from quotad.errors import Overloaded, StoreUnavailable
from quotad.store.batches import TIME_IS_UP
from quotad.store.connections import Connection, Connections
from quotad.store.failures import ConfigurationMoved, ConnectionLost

Outcome: TypeAlias = PlanAnswer | Exception
"""An answer, or what kept the operation from having one; `ConfigurationMoved` asks to look up its key again."""
RunBatch: TypeAlias = "Callable[[Connection, str, Sequence[Bound]], Awaitable[list[PlanAnswer]]]"

CONNECTIONS_LOST_MAX = 2
"""How often a batch is tried again because its connection broke."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Told of what the ledger does, for metrics."""

    batch: Callable[[int, int], object]
    """Operations of a batch, and of those that wait for the next ones."""
    missed: Callable[[], object]
    """A batch that could not be written as it was planned on remembered rows."""


UNWATCHED = Watch(batch=lambda _count, _waiting: None, missed=lambda: None)


class Group:
    """Operations that one caller sent together, and who waits for them."""

    __slots__ = ("_left", "answered", "ends_at", "operations", "outcomes")

    def __init__(self, operations: Sequence[Bound], answered: asyncio.Future[list[Outcome]]) -> None:
        self.operations = operations
        self.answered = answered
        self.ends_at = min([bound.ends_at for bound in operations])
        self.outcomes: list[Outcome] = [TIME_IS_UP] * len(operations)
        self._left = len(operations)

    def wanted(self, now: float) -> Part | None:
        """The operations that are still waited for; the others are answered with that their time is up."""
        if self.answered.done():
            return None  # the caller has left, and nothing was written
        places: Sequence[int] = range(len(self.operations))
        if self.ends_at <= now:
            places = [place for place in places if self.operations[place].ends_at > now]
            self._answered(len(self.operations) - len(places))
        return Part(self, places) if places else None

    def answer(self, places: Sequence[int], outcomes: Sequence[Outcome]) -> None:
        if len(places) == len(self.outcomes):
            self.outcomes = [*outcomes]
        else:
            for place, outcome in zip(places, outcomes, strict=True):
                self.outcomes[place] = outcome
        self._answered(len(places))

    def _answered(self, count: int) -> None:
        self._left -= count
        if not self._left and not self.answered.done():
            self.answered.set_result(self.outcomes)


class Part(NamedTuple):
    """Some of a group's operations, by their places."""

    group: Group
    places: Sequence[int]


class Batch:
    """Operations of one tenant that are performed together."""

    __slots__ = ("operations", "parts")

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = parts
        self.operations = [group.operations[place] for group, places in parts for place in places]

    def answer(self, outcomes: Sequence[Outcome]) -> None:
        """One outcome per operation, in order."""
        done = 0
        for group, places in self.parts:
            group.answer(places, outcomes[done : done + len(places)])
            done += len(places)

    def answer_all(self, outcome: Outcome) -> None:
        self.answer([outcome] * len(self.operations))

    def halves(self) -> list[Batch]:
        """Two batches that share no reservation; only itself where there is but one."""
        ids = list(dict.fromkeys([bound.reservation_id for bound in self.operations]))
        if len(ids) == 1:
            return [self]
        first = frozenset(ids[: len(ids) // 2])
        return [self._of(first, is_in=True), self._of(first, is_in=False)]

    def _of(self, ids: frozenset[str], *, is_in: bool) -> Batch:
        parts = [
            Part(group, [place for place in places if (group.operations[place].reservation_id in ids) is is_in])
            for group, places in self.parts
        ]
        return Batch([part for part in parts if part.places])


class Lane:
    """One tenant's operations in waiting."""

    __slots__ = ("groups", "tenant_id")

    def __init__(self, tenant_id: str) -> None:
        self.tenant_id = tenant_id
        self.groups: deque[Group] = deque()

    def take(self, operations_max: int) -> list[Group]:
        """The groups of the next batch: at least one, and no more operations than that beside it."""
        taken: list[Group] = []
        count = 0
        while self.groups and (not taken or count + len(self.groups[0].operations) <= operations_max):
            group = self.groups.popleft()
            count += len(group.operations)
            taken.append(group)
        return taken


class Lanes:
    """Waiting operations of all tenants, and the workers that take them to the database."""

    def __init__(
        self,
        connections: Connections,
        run: RunBatch,
        *,
        workers: int,
        queue_max: int,
        batch_max: int,
        watch: Watch,
    ) -> None:
        self._connections = connections
        self._run = run
        self._queue_max = queue_max
        self._batch_max = batch_max
        self._watch = watch
        self._lanes: dict[str, Lane] = {}
        self._ready: asyncio.Queue[Lane] = asyncio.Queue()
        self._isolating: set[asyncio.Task[None]] = set()
        self._workers = [asyncio.create_task(self._work(), name=f"lanes {n}") for n in range(workers)]
        self._waiting = 0

    def submit(self, tenant_id: str, operations: Sequence[Bound]) -> asyncio.Future[list[Outcome]]:
        """One outcome per operation, in order. Raises `Overloaded` where too many wait.

        Cancelling the future before its batch is made leaves the operations unwritten.
        """
        if self._waiting + len(operations) > self._queue_max:
            raise Overloaded("too many operations are waiting for the database")
        self._waiting += len(operations)
        group = Group(operations, asyncio.get_running_loop().create_future())
        lane = self._lanes.get(tenant_id)
        if lane is None:
            lane = self._lanes[tenant_id] = Lane(tenant_id)
            self._ready.put_nowait(lane)
        lane.groups.append(group)
        return group.answered

    async def close(self) -> None:
        """Stop the workers; what still waits is cancelled."""
        tasks = [*self._workers, *self._isolating]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for lane in self._lanes.values():
            for group in lane.groups:
                group.answered.cancel()

    async def _work(self) -> None:
        """Serve lanes, on a connection that is kept until it breaks."""
        while True:
            lane = await self._ready.get()
            try:
                async with self._connections.acquire() as connection:
                    while True:
                        batch = self._batch(lane)
                        if batch.operations:
                            await self._serve(connection, lane.tenant_id, batch)
                        self._go_on(lane)
                        lane = await self._ready.get()
            except (StoreUnavailable, Overloaded) as away:
                self._batch(lane).answer_all(away)
                self._go_on(lane)

    def _batch(self, lane: Lane) -> Batch:
        now = asyncio.get_running_loop().time()
        taken = lane.take(self._batch_max)
        count = sum([len(group.operations) for group in taken])
        self._waiting -= count
        self._watch.batch(count, self._waiting)
        return Batch([part for group in taken if (part := group.wanted(now)) is not None])

    def _go_on(self, lane: Lane) -> None:
        if lane.groups:
            self._ready.put_nowait(lane)
        else:
            del self._lanes[lane.tenant_id]

    async def _serve(self, connection: Connection, tenant_id: str, batch: Batch) -> None:
        """Raises what the connection is to be given back for, once others look after the batch."""
        try:
            answers = await self._run(connection, tenant_id, batch.operations)
        except ConfigurationMoved as moved:
            batch.answer_all(moved)
        except Exception as error:
            task = asyncio.create_task(self._after_failure(tenant_id, batch, error, CONNECTIONS_LOST_MAX))
            self._isolating.add(task)
            task.add_done_callback(self._isolating.discard)
            if isinstance(error, StoreUnavailable):
                raise
        else:
            batch.answer(answers)

    async def _after_failure(self, tenant_id: str, batch: Batch, error: Exception, repeats: int) -> None:
        """Repeat what broke on its way; split what is wrong with one operation until that one stands alone."""
        if isinstance(error, ConnectionLost) and repeats:
            await self._run_apart(tenant_id, batch, repeats - 1)
            return
        halves = [batch] if isinstance(error, StoreUnavailable) else batch.halves()
        if len(halves) == 1:
            batch.answer_all(error)
        else:
            await asyncio.gather(*[self._run_apart(tenant_id, half, repeats) for half in halves])

    async def _run_apart(self, tenant_id: str, batch: Batch, repeats: int) -> None:
        try:
            async with self._connections.acquire() as connection:
                answers = await self._run(connection, tenant_id, batch.operations)
        except ConfigurationMoved as moved:
            batch.answer_all(moved)
        except Exception as error:  # noqa: BLE001 - told to whoever it belongs to
            await self._after_failure(tenant_id, batch, error, repeats)
        else:
            batch.answer(answers)
