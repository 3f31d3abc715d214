"""A quotad inside the test's event loop, on real sockets, and short forms of what tests ask of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
from sqlalchemy import make_url

from quotad.client.admin import AdminClient
from quotad.client.connection import Connection
from quotad.client.quota_client import QuotaClient
from quotad.client.types import CreatedKey, Limit, Window, WindowKind
from quotad.server.daemon import Running, running
from quotad.server.settings import load_daemon_settings
from quotad.store.audit import differences
from tests.support.waiting import eventually

DATA_TOKEN = "data-token-for-tests"
ADMIN_TOKEN = "admin-token-for-tests"
START_SECONDS = 20.0


def limit(metric: str = "total_tokens", max_value: int = 1000, model_pattern: str = "") -> Limit:
    return Limit(metric, Window(WindowKind.DAY), max_value, model_pattern)


@asynccontextmanager
async def locked_reservations(database_url: str) -> AsyncIterator[None]:
    """While the block runs, whoever reserves or settles in this database waits."""
    async with _locking(database_url, "LOCK TABLE quotad.reservations IN ACCESS EXCLUSIVE MODE"):
        yield


@asynccontextmanager
async def _locking(database_url: str, statement: str) -> AsyncIterator[None]:
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction():
            await connection.execute(statement)
            yield
    finally:
        await connection.close()


async def someone_waits(database_url: str) -> None:
    """Until some session of this database waits for a lock."""
    connection = await asyncpg.connect(database_url)
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    try:
        await eventually(lambda: connection.fetchval(waiting))
    finally:
        await connection.close()


@dataclass(slots=True)
class Daemon:
    """A running daemon; `stop` may be called before the block ends."""

    running: Running
    database_url: str
    stopping: asyncio.Event
    task: asyncio.Task[None]

    @property
    def address(self) -> str:
        return self.running.address

    def begin_stop(self) -> None:
        self.stopping.set()

    async def stop(self) -> None:
        self.stopping.set()
        await self.task

    @asynccontextmanager
    async def data(
        self, *, call_timeout_seconds: float = 5.0, retry_seconds: float = 10.0, coalesce: bool = True
    ) -> AsyncIterator[QuotaClient]:
        async with QuotaClient(
            self.address,
            DATA_TOKEN,
            call_timeout_seconds=call_timeout_seconds,
            retry_seconds=retry_seconds,
            coalesce=coalesce,
        ) as client:
            yield client

    @asynccontextmanager
    async def admin(self) -> AsyncIterator[AdminClient]:
        async with Connection(self.address, ADMIN_TOKEN) as connection:
            yield AdminClient(connection, "tests")

    async def create_key(self, *limits: Limit, name: str = "demo") -> CreatedKey:
        async with self.admin() as admin:
            return await admin.create_api_key(name, limits=limits or (limit(),))

    @asynccontextmanager
    async def windows_locked(self) -> AsyncIterator[None]:
        """While the block runs, whoever needs any window row waits."""
        async with self._locking("LOCK TABLE quotad.windows IN ACCESS EXCLUSIVE MODE"):
            yield

    @asynccontextmanager
    async def used_windows_locked(self) -> AsyncIterator[None]:
        """While the block runs, whoever needs one of the window rows that there are waits."""
        async with self._locking("SELECT FROM quotad.windows FOR UPDATE"):
            yield

    @asynccontextmanager
    async def key_windows_locked(self, api_key_id: str) -> AsyncIterator[None]:
        """While the block runs, whoever needs one of the window rows that this key has waits."""
        limits = f"SELECT limit_id FROM quotad.limits WHERE api_key_id = '{api_key_id}'"
        async with self._locking(f"SELECT FROM quotad.windows WHERE limit_id IN ({limits}) FOR UPDATE"):
            yield

    @asynccontextmanager
    async def reservations_locked(self) -> AsyncIterator[None]:
        """While the block runs, whoever reserves or settles waits; keys and limits can be read."""
        async with locked_reservations(self.database_url):
            yield

    @asynccontextmanager
    async def _locking(self, statement: str) -> AsyncIterator[None]:
        async with _locking(self.database_url, statement):
            yield

    async def someone_waits(self) -> None:
        await someone_waits(self.database_url)

    async def time_passes(self, seconds: float) -> None:
        """Until the database's clock is later by that much."""
        connection = await asyncpg.connect(self.database_url)
        try:
            await connection.execute("SELECT pg_sleep($1)", seconds)
        finally:
            await connection.close()

    @asynccontextmanager
    async def database_away(self) -> AsyncIterator[None]:
        """While the block runs, nobody can connect to the database, and whoever was connected is cut off."""
        url = make_url(self.database_url)
        connection = await asyncpg.connect(url.set(database="postgres").render_as_string(hide_password=False))
        try:
            await connection.execute(f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS false")
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", url.database
            )
            yield
        finally:
            await connection.execute(f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS true")
            await connection.close()

    async def metrics(self) -> str:
        """What Prometheus would read."""
        host, _, port = self.running.metrics_address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: tests\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer.decode()

    async def execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.database_url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@asynccontextmanager
async def quotad(database_url: str, **settings: object) -> AsyncIterator[Daemon]:
    """A daemon for the length of the block, in a task of its own; the ledger must add up when it ends."""
    started: asyncio.Future[Running] = asyncio.get_running_loop().create_future()
    stopping = asyncio.Event()
    task = asyncio.create_task(_run(database_url, settings, started, stopping))
    either: set[asyncio.Future[Any]] = {started, task}
    await asyncio.wait(either, timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        await task  # says why it did not start
    try:
        yield Daemon(started.result(), database_url, stopping, task)
    finally:
        stopping.set()
        await task
    assert await differences(database_url) == []


async def _run(
    database_url: str, settings: dict[str, object], started: asyncio.Future[Running], stopping: asyncio.Event
) -> None:
    defaults: dict[str, object] = {
        "listen": "127.0.0.1:0",
        "metrics_listen": "127.0.0.1:0",
        "bootstrap_data_token": DATA_TOKEN,
        "bootstrap_admin_token": ADMIN_TOKEN,
    }
    async with running(load_daemon_settings(database_url=database_url, **{**defaults, **settings})) as daemon:
        started.set_result(daemon)
        await stopping.wait()
