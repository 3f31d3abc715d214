"""A contender: something that takes turns at the same load."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from benchmarks.ledger import pgbench
from benchmarks.ledger.cluster import Connection
from benchmarks.ledger.daemons import DATA_TOKEN, Listening, Site, daemon, other_server, redis_server
from benchmarks.ledger.measuring import cpu_seconds, spent
from benchmarks.ledger.method import Method
from benchmarks.ledger.processes import finished, python
from benchmarks.ledger.spec import Driver, KeySet, LoadResult, LoadSpec

LOAD_SECONDS_MAX = 3_600.0
TABLE_COUNTERS = """
SELECT n_tup_ins AS made, n_tup_del AS purged, n_tup_upd AS updated, n_tup_hot_upd AS updated_in_place
FROM pg_catalog.pg_stat_user_tables WHERE schemaname = 'quotad' AND relname = 'reservations'
"""


class Contender(Protocol):
    """One side of a comparison."""

    @property
    def name(self) -> str: ...

    def prepare(self) -> None:
        """What must have happened before the first round."""

    def measure(self) -> LoadResult:
        """One round."""


@dataclass(frozen=True, slots=True)
class Quotad:
    """The daemon on a database of its own. It runs in its own rounds alone, and then bears its own purge."""

    site: Site
    method: Method
    database: str
    name: str
    keys: KeySet
    driver: Driver = Driver.CLIENT
    tasks: int = 64
    changes: Mapping[str, object] | None = None
    """Fields of the load's spec that differ."""
    settings: Mapping[str, str] | None = None
    is_aged: bool = True
    """Loaded before the first round for longer than the horizon."""

    def prepare(self) -> None:
        if self.is_aged:
            self._load(self.method.aging_seconds, 0.1)

    def measure(self) -> LoadResult:
        return self._load(self.method.warm_up_seconds, self.method.measured_seconds)

    def spec(self, listening: Listening) -> LoadSpec:
        spec = LoadSpec(
            driver=self.driver,
            target=listening.target,
            token=DATA_TOKEN,
            keys=self.keys,
            tasks=self.tasks,
            watched=watched(self.site, listening),
        )
        return replace(spec, **(self.changes or {}))  # type: ignore[arg-type]

    @contextmanager
    def running(self) -> Iterator[Listening]:
        with daemon(self.site, self.database, {**daemon_settings(self.method), **(self.settings or {})}) as listening:
            yield listening

    def _load(self, warm_up_seconds: float, measured_seconds: float) -> LoadResult:
        with self.running() as listening:
            self.site.server.checkpoint()
            spec = replace(self.spec(listening), warm_up_seconds=warm_up_seconds, measured_seconds=measured_seconds)
            return load(spec)


@dataclass(frozen=True, slots=True)
class Other:
    """The baseline or the empty server."""

    site: Site
    method: Method
    database: str
    name: str
    keys: KeySet
    kind: str
    connections: int = 1
    tasks: int = 64

    def prepare(self) -> None:
        """Nothing: it purges nothing, which is in its favour."""

    def measure(self) -> LoadResult:
        return self.load(self.method.warm_up_seconds, self.method.measured_seconds)

    def load(self, warm_up_seconds: float, measured_seconds: float) -> LoadResult:
        with other_server(self.site, self.database, self.kind, self.connections) as listening:
            self.site.server.checkpoint()
            return load(
                LoadSpec(
                    driver=Driver.EMPTY if self.kind == "empty" else Driver.UNARY,
                    target=listening.target,
                    token=DATA_TOKEN,
                    keys=self.keys,
                    tasks=self.tasks,
                    warm_up_seconds=warm_up_seconds,
                    measured_seconds=measured_seconds,
                    watched=watched(self.site, listening),
                )
            )


@dataclass(frozen=True, slots=True)
class Pgbench:
    """The baseline's functions called by pgbench: no gRPC, no daemon."""

    site: Site
    method: Method
    database: str
    name: str
    keys: KeySet
    clients: int

    def prepare(self) -> None:
        """Nothing."""

    def measure(self) -> LoadResult:
        self.site.server.checkpoint()
        self._run(self.method.warm_up_seconds)
        watched_pids = {"postgres": self.site.server.process.pid}
        before = cpu_seconds(watched_pids)
        pairs_per_second = self._run(self.method.measured_seconds)
        cpu = spent(before, cpu_seconds(watched_pids))
        seconds = self.method.measured_seconds
        return LoadResult(seconds, pairs=round(pairs_per_second * seconds), cpu_seconds=cpu)

    def _run(self, seconds: float) -> float:
        server = self.site.server
        return pgbench.run(
            server.pgbench_settings(self.database),
            self.site.directory,
            self.keys,
            clients=self.clients,
            seconds=seconds,
        )


@dataclass(frozen=True, slots=True)
class Peer:
    """What others do for the same work, called directly, without a daemon in between."""

    site: Site
    method: Method
    name: str
    keys: KeySet
    driver: Driver
    place: Place
    tasks: int = 64

    def prepare(self) -> None:
        """Nothing."""

    def measure(self) -> LoadResult:
        with self.place.open() as (target, pids):
            spec = LoadSpec(
                driver=self.driver,
                target=target,
                keys=self.keys,
                tasks=self.tasks,
                warm_up_seconds=self.method.warm_up_seconds,
                measured_seconds=self.method.measured_seconds,
                watched=pids,
            )
            return load(spec)


class Place(Protocol):
    """Where a peer keeps its counters."""

    def open(self) -> AbstractContextManager[tuple[str, Mapping[str, int]]]:
        """What its load calls, and the processes to watch."""


@dataclass(frozen=True, slots=True)
class RedisPlace:
    site: Site
    appendfsync: str

    @contextmanager
    def open(self) -> Iterator[tuple[str, Mapping[str, int]]]:
        with redis_server(self.site, self.appendfsync) as listening:
            yield listening.target, {"redis": listening.process.pid}


@dataclass(frozen=True, slots=True)
class PostgresPlace:
    site: Site
    database: str

    @contextmanager
    def open(self) -> Iterator[tuple[str, Mapping[str, int]]]:
        self.site.server.checkpoint()
        yield self.site.server.url(self.database), {"postgres": self.site.server.process.pid}


def load(spec: LoadSpec) -> LoadResult:
    """Run a load in a process of its own; raises `RunFailed`."""
    command = python("benchmarks.ledger.load")
    return LoadResult.from_json(finished(command, LOAD_SECONDS_MAX, stdin=spec.to_json()))


def watched(site: Site, listening: Listening) -> dict[str, int]:
    return {"server": listening.process.pid, "postgres": site.server.process.pid}


def daemon_settings(method: Method) -> dict[str, str]:
    return {"QUOTAD_HORIZON_SECONDS": f"{method.horizon_seconds:g}"}


def reservation_rows(site: Site, database: str) -> dict[str, int]:
    """Rows of reservations made, purged and updated so far, as the database counts them."""

    async def read(connection: Connection) -> dict[str, int]:
        row = await connection.fetchrow(TABLE_COUNTERS)
        return {} if row is None else dict(row)

    return site.server.run(database, read)
