"""A small ledger of its own for each run, what sessions do to it, and what can be seen of it afterwards."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import permutations

import asyncpg
from uuid_utils.compat import uuid7

from quotad.core.keys import KeyChanges, KeyDraft
from quotad.core.operations import (
    Bound,
    Expire,
    ExpireAnswer,
    Finalize,
    PlanAnswer,
    ReadAnswer,
    Release,
    RenewAnswer,
    RenewOne,
    Reserve,
    ReserveAnswer,
    SettleAnswer,
)
from quotad.errors import QuotaError
from quotad.store import StoreSettings
from quotad.store.audit import differences
from quotad.store.batches import Batches
from quotad.store.cache import Cache
from quotad.store.connections import Connections
from quotad.store.failures import ConfigurationMoved, ConnectionLost, LapsedInTheWay, PlanAgain
from quotad.store.keys import Keys
from quotad.store.locked import run_locked
from quotad.store.refusals import Refusals
from quotad.values import Limit, Scope, Subject, Window, WindowKind
from tests.quotad.interleavings.scheduler import Act, Choices, Session, play
from tests.quotad.interleavings.stepped import SteppedConnections

PLANS_MAX = 20
WRITING = frozenset({"lock_reservations", "lock_windows", "apply", "COMMIT"})
"""The stops at which the order of sessions can matter as long as nobody edits the configuration."""
RECALLING = frozenset({"quotad.reservations"})
"""Where a daemon reads what it does not remember."""
BEGINNING = frozenset({"lock_reservations", "apply"})
"""Where a path begins to take rows."""
READING = frozenset({"quotad.api_keys", "quotad.limits", "quotad.tenants"})
"""Those where the configuration is read or edited."""

Seen = tuple[object, ...]
"""What a session was answered, or what stands in the ledger, without ids and times of the run."""
MakeOperations = Callable[["Scene"], Sequence[Bound]]


def limit(max_value: int, metric: str = "total_tokens", kind: WindowKind = WindowKind.LIFETIME) -> Limit:
    return Limit(metric, Window(kind), max_value)


@dataclass(frozen=True, slots=True)
class Batch:
    """What one session does: these operations, in one batch."""

    make: tuple[MakeOperations, ...]

    def operations(self, scene: Scene) -> list[Bound]:
        return [bound for make in self.make for bound in make(scene)]


@dataclass(frozen=True, slots=True)
class Edit:
    """What an operator does: other limits for the key."""

    limits: tuple[Limit, ...]


Role = Batch | Edit


@dataclass(frozen=True, slots=True)
class Case:
    """A ledger, what happened in it before, and the sessions that meet in it."""

    name: str
    limits: tuple[Limit, ...]
    before: tuple[MakeOperations, ...]
    roles: tuple[Role, ...]
    lapsed: tuple[str, ...] = ()
    """Reservations whose lease has lapsed when the sessions begin."""


def reserve(name: str, tokens: int, model: str = "m") -> MakeOperations:
    def make(scene: Scene) -> list[Bound]:
        subject = Subject(api_key_id=scene.api_key_id)
        operation = Reserve(scene.id_of(name), subject, model, {"total_tokens": tokens})
        return [Bound(operation, scene.api_key_id)]

    return make


def finalize(name: str, tokens: int) -> MakeOperations:
    return lambda scene: [Bound(Finalize(Scope(), scene.id_of(name), {"total_tokens": tokens}))]


def finalize_unreserved(name: str, tokens: int) -> MakeOperations:
    def make(scene: Scene) -> list[Bound]:
        scope = Scope(api_key_id=scene.api_key_id)
        amounts = {"total_tokens": tokens}
        operation = Finalize(scope, scene.id_of(name), amounts, allow_unreserved=True, model="m")
        return [Bound(operation, scene.api_key_id)]

    return make


def release(name: str) -> MakeOperations:
    return lambda scene: [Bound(Release(Scope(), scene.id_of(name)))]


def renew(name: str) -> MakeOperations:
    return lambda scene: [Bound(RenewOne(scene.id_of(name), None))]


def expire(name: str) -> MakeOperations:
    return lambda scene: [Bound(Expire(scene.id_of(name)))]


def batch(*make: MakeOperations) -> Batch:
    return Batch(make)


def edit(*limits: Limit) -> Edit:
    return Edit(limits)


@dataclass
class Scene:
    """One run: a tenant of its own, with one key."""

    tenant_id: str
    api_key_id: str

    def id_of(self, name: str) -> str:
        return f"{self.tenant_id}-{name}"

    def name_of(self, reservation_id: str) -> str:
        return reservation_id.partition("-")[2]


@dataclass
class Stage:
    """A database on which runs are played, one after the other."""

    pools: list[Connections]
    """One for each session, with one connection each."""
    others: list[asyncpg.Connection[asyncpg.Record]]
    """For whoever else is there."""
    monitor: asyncpg.Connection[asyncpg.Record]
    settings: StoreSettings
    is_optimistic: bool
    """Whether sessions are daemons that remember, or take the locked path alone."""
    runs: int = 0
    _expected: dict[tuple[str, tuple[int, ...]], tuple[tuple[Seen, ...], Seen]] = field(default_factory=dict)

    async def new_scene(self, case: Case) -> Scene:
        self.runs += 1
        tenant_id = f"run{uuid7().hex}"
        key, _ = await Keys(self.pools[0], self.settings).create("first", tenant_id, KeyDraft("demo", case.limits))
        scene = Scene(tenant_id, key.api_key_id)
        for make in case.before:
            await self.perform(self.pools[0], scene, make(scene))
        for name in case.lapsed:
            await self.monitor.execute(
                "UPDATE quotad.reservations SET expire_time = clock_timestamp() - interval '1 s' "
                "WHERE reservation_id = $1",
                scene.id_of(name),
            )
        return scene

    async def played(
        self,
        case: Case,
        choices: Choices,
        *,
        stops: Collection[str] | None = WRITING,
        others: Callable[[Scene, list[Session]], Sequence[Session]] = lambda _scene, _sessions: (),
        preemptions_max: int | None = None,
    ) -> None:
        """One run: it must end as if its sessions had come one after the other, in an order that fits what was seen."""
        scene = await self.new_scene(case)
        sessions = [
            Session(str(number), await self._act(scene, role, self.pools[number], stops))
            for number, role in enumerate(case.roles)
        ]
        everybody = [*sessions, *others(scene, sessions)]
        try:
            await play(everybody, choices, self.is_blocked, preemptions_max)
            seen = tuple([_seen(await session.result()) for session in sessions])
            for other in everybody[len(sessions) :]:
                await other.result()
        except Exception as error:
            error.add_note(f"{case.name}: {choices}")
            raise
        finally:
            for session in everybody:
                await session.cancel()
        found = seen, await self.ledger_of(scene)
        orders = [order for order in permutations(range(len(sessions))) if _fits(order, sessions)]
        expected = [await self.one_after_the_other(case, order) for order in orders]
        assert found in expected, f"{case.name}: {choices}\n  found    {found}\n  expected {expected}"

    async def one_after_the_other(self, case: Case, order: tuple[int, ...]) -> tuple[tuple[Seen, ...], Seen]:
        """What the sessions are answered, and what stands after, when each begins after the one before has ended."""
        known = self._expected.get((case.name, order))
        if known is None:
            scene = await self.new_scene(case)
            answers = {
                number: _seen(await self._play_role(self.pools[0], scene, case.roles[number])) for number in order
            }
            known = tuple(answers[number] for number in sorted(answers)), await self.ledger_of(scene)
            self._expected[case.name, order] = known
        return known

    async def ledger_of(self, scene: Scene) -> Seen:
        """Every reservation and window of the run; what windows hold must be what reservations say."""
        reservations = await self.monitor.fetch(
            "SELECT reservation_id, state, late, hold_amounts, hold_charges FROM quotad.reservations "
            "WHERE reservation_id LIKE $1 ORDER BY reservation_id",
            scene.id_of("%"),
        )
        windows = await self.monitor.fetch(
            "SELECT l.metric, w.held, w.used FROM quotad.windows AS w JOIN quotad.limits AS l USING (limit_id) "
            "WHERE l.api_key_id = $1 AND (w.held, w.used) <> (0, 0) ORDER BY l.metric",
            scene.api_key_id,
        )
        holding = [row["hold_amounts"] for row in reservations if row["state"] == "reserved"]
        charged = [row["hold_charges"] or [] for row in reservations if row["state"] == "finalized"]
        assert sum(map(sum, holding)) == sum(row["held"] for row in windows)
        assert sum(map(sum, charged)) == sum(row["used"] for row in windows)
        told = [
            (scene.name_of(row["reservation_id"]), row["state"], row["late"], tuple(row["hold_charges"] or ()))
            for row in reservations
        ]
        return (tuple(told), tuple(tuple(row) for row in windows))

    async def perform(
        self, connections: Connections, scene: Scene, operations: Sequence[Bound], batches: Batches | None = None
    ) -> tuple[PlanAnswer | None, ...]:
        """The path of this stage, tried again as the ledger does it."""
        for _ in range(PLANS_MAX):
            try:
                async with connections.acquire() as connection:
                    if self.is_optimistic:
                        batches = batches or self._daemon()
                        return tuple(await batches.run(connection, scene.tenant_id, operations))
                    return (await run_locked(connection, self.settings, scene.tenant_id, operations)).answers
            except LapsedInTheWay:
                return (None,) * len(operations)  # to be judged again once what has lapsed is gone
            except (ConfigurationMoved, PlanAgain, ConnectionLost):
                continue
        raise AssertionError("no plan came through")

    async def _act(self, scene: Scene, role: Role, pool: Connections, stops: Collection[str] | None) -> Act:
        batches = await self._warm_daemon(scene, pool) if self.is_optimistic else None

        async def act(session: Session) -> object:
            connections = SteppedConnections(pool, session, stops).as_connections()
            return await self._play_role(connections, scene, role, batches)

        return act

    def _daemon(self) -> Batches:
        refusals = Refusals(self.pools[0], self.settings.refusal_entries_max)
        return Batches(Cache(self.settings.cache), self.settings, refusals)

    async def _warm_daemon(self, scene: Scene, pool: Connections) -> Batches:
        """A daemon that has seen the key's windows as they are."""
        batches = self._daemon()
        for make in (reserve("warm", 1), release("warm")):
            await self.perform(pool, scene, make(scene), batches)
        await self.monitor.execute("DELETE FROM quotad.reservations WHERE reservation_id = $1", scene.id_of("warm"))
        return batches

    async def _play_role(
        self, connections: Connections, scene: Scene, role: Role, batches: Batches | None = None
    ) -> object:
        if isinstance(role, Edit):
            await Keys(connections, self.settings).update(
                scene.tenant_id, scene.api_key_id, KeyChanges(limits=role.limits), ""
            )
            return ()
        return await self.perform(connections, scene, role.operations(scene), batches)

    async def is_blocked(self, pid: int) -> bool:
        return bool(await self.monitor.fetchval("SELECT cardinality(pg_blocking_pids($1)) > 0", pid))


@asynccontextmanager
async def stage(
    database_url: str, *, sessions: int, others: int = 0, is_optimistic: bool = False
) -> AsyncIterator[Stage]:
    settings = StoreSettings(
        database_url,
        connections=1,
        workers=0,
        lock_timeout_seconds=15,
        batch_lock_timeout_seconds=15,
        statement_timeout_seconds=15,
    )
    pools = [await Connections.open(settings) for _ in range(sessions)]
    plain = [await asyncpg.connect(database_url) for _ in range(others + 1)]
    try:
        yield Stage(pools, plain[1:], plain[0], settings, is_optimistic)
    finally:
        for connection in plain:
            await connection.close()
        for pool in pools:
            await pool.close()
    assert await differences(database_url) == []


def _seen(answers: object) -> Seen:
    assert isinstance(answers, tuple)
    return tuple(_told(answer) for answer in answers)


def _told(answer: PlanAnswer | None) -> Seen:
    match answer:
        case ReserveAnswer():
            return ("reserved", answer.replayed, tuple(sorted(answer.reservation.reserved.items())))
        case SettleAnswer():
            return (answer.reservation.state.value, answer.changed, answer.replayed, answer.reservation.late)
        case RenewAnswer():
            return (answer.state and answer.state.value, answer.error and answer.error.reason)
        case ExpireAnswer():
            return ("expired", answer.expired)
        case ReadAnswer():
            return (answer.reservation.state.value,)
        case QuotaError():
            return (answer.reason,)
        case None:
            return ("to be judged again",)


def _fits(order: Sequence[int], sessions: Sequence[Session]) -> bool:
    """Nobody who ended before another one began stands behind it."""
    places = {number: place for place, number in enumerate(order)}
    return all(
        places[earlier] < places[later]
        for earlier, before in enumerate(sessions)
        for later, after in enumerate(sessions)
        if earlier != later and before.ended_at < after.began_at
    )
