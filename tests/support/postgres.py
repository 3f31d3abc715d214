"""A real Postgres for the tests: a server per pytest process, a database per test, copied from a migrated template."""

from __future__ import annotations

import asyncio
import ctypes
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import make_url

from quotad.stack.postgres import SOCKET, open_cluster
from servicekit.migrations import Migrations, migrate
from tests.support.waiting import eventually_now

SERVICES = ("quotad", "proxy", "dashboard")
START_SECONDS = 120.0
"""A start after an immediate stop recovers first, and syncs every file."""
LOG_CHARACTERS = 2000
CONNECT_SECONDS = 10.0
PR_SET_PDEATHSIG = 1
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}
"""Tests need no data after a power cut."""
MEMORY = Path("/dev/shm")
MEMORY_BYTES_MIN = 4 * 2**30
"""A database of some 10 MiB is copied for each test: in memory, where there is room, that costs a third less."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server in which databases may be made; `url` names a database for administration."""

    url: str

    def url_of(self, database: str) -> str:
        return make_url(self.url).set(database=database).render_as_string(hide_password=False)

    def execute(self, statement: str) -> None:
        run_apart(self._execute(statement))

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.url, timeout=CONNECT_SECONDS)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


def run_apart(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run to its end in an event loop of its own, beside whatever loop the test has."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(coroutine)
        except BaseException as exc:  # noqa: BLE001 - raised again in the caller's thread
            failures.append(exc)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


@contextmanager
def server() -> Iterator[Server]:
    """The server that `TEST_DATABASE_URL` names, else an embedded one that ends with the block."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield Server(given)
    else:
        with embedded_server() as embedded:
            yield embedded


class Embedded:
    """An embedded server of its own, which can be stopped in every way and started again."""

    def __init__(self, settings: Mapping[str, str], parent: Path | None = None) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="quota-test-", dir=parent))
        self._password = secrets.token_urlsafe(16)
        self._cluster = open_cluster(self._directory, None, self._password, settings)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self._cluster.database_url(self._password)

    @property
    def socket(self) -> Path:
        return self._cluster.socket_directory / SOCKET

    def start(self) -> None:
        """Start the server and wait until it takes connections."""
        command = self._cluster.command()
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command.argv,
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - one prctl
                **command.spawn_arguments(),
            )
        try:
            eventually_now(self._takes_connections, START_SECONDS)
        except AssertionError as error:
            error.add_note((self._directory / "log").read_text("utf-8", errors="replace")[-LOG_CHARACTERS:])
            raise

    def _takes_connections(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"the server ended with {self._process.poll()}"
        return self._cluster.is_ready()

    def stop_immediately(self) -> None:
        """What `pg_ctl stop -m immediate` does: nothing is written any more, and the next start recovers."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(START_SECONDS)

    def close(self) -> None:
        self.stop_immediately()
        self._cluster.close()
        shutil.rmtree(self._directory)


@contextmanager
def embedded_server() -> Iterator[Server]:
    has_room = MEMORY.exists() and shutil.disk_usage(MEMORY).free > MEMORY_BYTES_MIN
    embedded = Embedded(NOT_DURABLE, MEMORY if has_room else None)
    try:
        embedded.start()
        yield Server(embedded.url)
    finally:
        embedded.close()


def _end_with_parent() -> None:
    """A pytest that is killed cannot stop its server: the kernel then does."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)


@contextmanager
def template(on: Server) -> Iterator[str]:
    """A database with the schemas of all three services, to copy from."""
    name = f"template_{secrets.token_hex(6)}"
    on.execute(f"CREATE DATABASE {name}")
    try:
        run_apart(_migrate_all(on.url_of(name)))
        yield name
    finally:
        on.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def database(on: Server, template_name: str) -> Iterator[str]:
    """The URL of a fresh database, dropped after the block whoever is still connected."""
    name = f"test_{secrets.token_hex(6)}"
    on.execute(f"CREATE DATABASE {name} TEMPLATE {template_name} STRATEGY file_copy")
    try:
        yield on.url_of(name)
    finally:
        on.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def _migrate_all(database_url: str) -> None:
    for service in SERVICES:
        await migrate(database_url, Migrations(service))
