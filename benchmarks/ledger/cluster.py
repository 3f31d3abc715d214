"""The Postgres of a run: durable, private, the same settings for every contender that uses it."""

from __future__ import annotations

import asyncio
import secrets
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeVar

import asyncpg

from benchmarks.ledger.processes import Process, running
from quotad.stack.postgres import ROLE, Cluster, open_cluster
from servicekit.migrations import Migrations, migrate

SETTINGS: Mapping[str, str] = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "512MB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "15min",
    "max_connections": "200",
}
"""A checkpoint is made before every measured load, so that each begins with whole pages to log and none ends in one."""
CONNECT_SECONDS_MAX = 10.0
STATEMENT_SECONDS_MAX = 3_600.0
BASELINE_SCHEMA = Path(__file__).parent / "baseline" / "schema.sql"

Value = TypeVar("Value")
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@dataclass(frozen=True, slots=True)
class Server:
    """A running Postgres; `template` has both schemas, the ledger's and the baseline's."""

    cluster: Cluster
    process: Process
    password: str
    template: str = "template_bench"

    @property
    def version(self) -> str:
        return str(self.run("postgres", lambda connection: connection.fetchval("SHOW server_version")))

    def url(self, database: str) -> str:
        return self.cluster.database_url(self.password, database)

    def pgbench_settings(self, database: str) -> dict[str, str]:
        """What libpq reads from the environment."""
        directory = str(self.cluster.socket_directory)
        return {"PGHOST": directory, "PGUSER": ROLE, "PGPASSWORD": self.password, "PGDATABASE": database}

    def run(self, database: str, work: Callable[[Connection], Awaitable[Value]]) -> Value:
        return asyncio.run(_with_connection(self.url(database), work))

    def execute(self, database: str, *statements: str) -> None:
        async def each(connection: Connection) -> None:
            for statement in statements:
                await connection.execute(statement, timeout=STATEMENT_SECONDS_MAX)

        self.run(database, each)

    def checkpoint(self) -> None:
        self.execute("postgres", "CHECKPOINT")

    @contextmanager
    def database(self) -> Iterator[str]:
        """The name of a fresh database, dropped after the block."""
        name = f"bench_{secrets.token_hex(4)}"
        self.execute("postgres", f"CREATE DATABASE {name} TEMPLATE {self.template} STRATEGY file_copy")
        try:
            yield name
        finally:
            self.execute("postgres", f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def postgres(directory: Path) -> Iterator[Server]:
    """A server below `directory` for the length of the block."""
    password = secrets.token_urlsafe(16)
    cluster = open_cluster(directory, None, password, SETTINGS)
    try:
        with running("postgres", cluster.command(), directory / "postgres.log", stop_signal=signal.SIGINT) as process:
            process.wait_until(cluster.is_ready)
            server = Server(cluster, process, password)
            _make_template(server)
            yield server
    finally:
        cluster.close()


def _make_template(server: Server) -> None:
    server.execute("postgres", f"CREATE DATABASE {server.template}")
    asyncio.run(migrate(server.url(server.template), Migrations("quotad")))
    server.execute(server.template, BASELINE_SCHEMA.read_text("utf-8"))


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(url, timeout=CONNECT_SECONDS_MAX)
    try:
        yield connection
    finally:
        await connection.close()


async def _with_connection(url: str, work: Callable[[Connection], Awaitable[Value]]) -> Value:
    async with connected(url) as connection:
        return await work(connection)
