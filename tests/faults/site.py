"""Two daemons as real processes on a durable Postgres, with relays in between, and the faults that befall them."""

from __future__ import annotations

import asyncio
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from sqlalchemy import make_url

from quotad.client.admin import AdminClient
from quotad.client.connection import Connection
from quotad.client.types import CreatedKey, Limit
from quotad.store.audit import differences
from servicekit.migrations import Migrations, migrate
from tests.support.daemons import ADMIN_TOKEN, DATA_TOKEN
from tests.support.postgres import Embedded, run_apart
from tests.support.processes import RunningProcess, command, start_process
from tests.support.relay import Relay
from tests.support.stack import clean_environment
from tests.support.waiting import eventually

LEASE_SECONDS = 2.0
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "max_connections": "100"}
CLOCK_FOLDER = Path(__file__).parent / "clock"
WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'quotad' AND wait_event_type = 'Lock'
    AND usename = $1
"""


@dataclass(slots=True)
class DaemonProcess:
    """`quotad serve` on a port that stays its own."""

    name: str
    directory: Path
    environment: Mapping[str, str]
    role: str
    """Its own in the database, so that its sessions are known there."""
    port: int
    """Its own through all its lives."""
    process: RunningProcess | None = None
    starts: int = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        self.starts += 1
        argv = [command("quotad"), "serve", "--listen", self.address, "--metrics-listen", "127.0.0.1:0"]
        log = self.directory / f"{self.name}-{self.starts}.log"
        self.process = start_process(argv, log, env=self.environment, cwd=self.directory)

    def wait_ready(self) -> None:
        assert self.process is not None
        self.process.wait_for_output("quotad is ready", 30)

    async def ready(self) -> None:
        await asyncio.to_thread(self.wait_ready)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()

    def stand_still(self) -> None:
        assert self.process is not None
        self.process.signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self.process is not None
        self.process.signal(signal.SIGCONT)

    def output(self) -> str:
        """Of all its lives."""
        logs = sorted(self.directory.glob(f"{self.name}-*.log"))
        return "".join(log.read_text("utf-8", errors="replace") for log in logs)


@dataclass(slots=True)
class Site:
    """Daemon `a` is reached through `relay` and reaches its database through `database_relay`; `b` has no relay."""

    postgres: Embedded
    a: DaemonProcess
    b: DaemonProcess
    relay: Relay
    database_relay: Relay

    @property
    def addresses(self) -> tuple[str, str]:
        return self.relay.address, self.b.address

    @property
    def daemons(self) -> tuple[DaemonProcess, DaemonProcess]:
        return self.a, self.b

    async def create_key(self, *limits: Limit, name: str = "demo", tenant_id: str = "default") -> CreatedKey:
        async with Connection(self.b.address, ADMIN_TOKEN) as connection:
            return await AdminClient(connection, "faults").create_api_key(name, limits=limits, tenant_id=tenant_id)

    @asynccontextmanager
    async def database(self) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
        connection = await asyncpg.connect(self.postgres.url)
        try:
            yield connection
        finally:
            await connection.close()

    @asynccontextmanager
    async def holding(self, statement: str, *arguments: object) -> AsyncIterator[None]:
        """While the block runs, the rows that the statement locks are ours."""
        async with self.database() as connection, connection.transaction():
            await connection.execute(statement, *arguments)
            yield

    async def waits(self, daemon: DaemonProcess, seconds: float = 10.0) -> None:
        """Until a database session of this daemon waits for a lock."""
        async with self.database() as connection:
            await eventually(lambda: connection.fetchval(WAITING, daemon.role), seconds)

    async def nothing_is_held(self) -> None:
        """Until every lease has lapsed and was swept."""
        async with self.database() as connection:
            await eventually(
                lambda: connection.fetchval(
                    "SELECT NOT EXISTS (SELECT FROM quotad.reservations WHERE state IN ('reserved', 'pending')) "
                    "AND coalesce((SELECT sum(held) FROM quotad.windows), 0) = 0"
                ),
                60,
                step_seconds=0.1,
            )

    async def assert_sound(self) -> None:
        assert await differences(self.postgres.url) == []
        for daemon in self.daemons:
            failed = [line for line in daemon.output().splitlines() if '"level": "error"' in line]
            assert failed == [], failed[:5]


@contextmanager
def site(environment: Mapping[str, str] | None = None) -> Iterator[Site]:
    """Everything started and ready; `environment` is added to daemon a's."""
    with ExitStack() as ending:
        directory = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="quota-faults-")))
        postgres = Embedded(DURABLE)
        ending.callback(postgres.close)
        postgres.start()
        run_apart(_prepare(postgres.url))
        database_relay = ending.enter_context(Relay(postgres.socket).running())
        by_socket = make_url(postgres.url)
        by_relay = by_socket.set(host="127.0.0.1", port=database_relay.port, query={})
        urls = [
            url.set(username=role).render_as_string(hide_password=False)
            for url, role in ((by_relay, "a"), (by_socket, "b"))
        ]
        a, b = (
            DaemonProcess(name, directory, _environment(url) | dict(more or {}), name, _free_port())
            for name, url, more in zip("ab", urls, (environment, None), strict=True)
        )
        for daemon in (a, b):
            daemon.start()
            ending.callback(_end, daemon)
        relay = ending.enter_context(Relay(a.address).running())
        for daemon in (a, b):
            daemon.wait_ready()
        yield Site(postgres, a, b, relay, database_relay)


def clock_off_by(seconds: float) -> dict[str, str]:
    """The environment of a daemon whose own clock is wrong."""
    return {"PYTHONPATH": str(CLOCK_FOLDER), "CLOCK_OFFSET_SECONDS": str(seconds)}


async def _prepare(database_url: str) -> None:
    await migrate(database_url, Migrations("quotad"))
    password = make_url(database_url).password
    connection = await asyncpg.connect(database_url)
    for role in "ab":
        await connection.execute(f"CREATE ROLE {role} LOGIN SUPERUSER PASSWORD '{password}'")
    await connection.close()


def _environment(database_url: str) -> dict[str, str]:
    return {
        **clean_environment(),
        "QUOTAD_DATABASE_URL": database_url,
        "QUOTAD_BOOTSTRAP_DATA_TOKEN": DATA_TOKEN,
        "QUOTAD_BOOTSTRAP_ADMIN_TOKEN": ADMIN_TOKEN,
        "QUOTAD_DEFAULT_LEASE_SECONDS": str(LEASE_SECONDS),
    }


def _end(daemon: DaemonProcess) -> None:
    if daemon.process is not None:
        daemon.process.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
