"""Two proxies, two daemons, a durable Postgres and the demo upstream, each a real process that can be killed."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import httpx2

from quotad.client.admin import AdminClient
from quotad.client.connection import Connection
from quotad.client.types import CreatedKey, Limit
from quotad.stack.ports import free_listen
from quotad.store.audit import differences
from servicekit.migrations import Migrations, migrate
from tests.support.daemons import ADMIN_TOKEN, DATA_TOKEN
from tests.support.postgres import Embedded, run_apart
from tests.support.processes import REPOSITORY, RunningProcess, command, start_process
from tests.support.stack import clean_environment
from tests.support.waiting import eventually

LEASE_SECONDS = 3
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "max_connections": "200"}
READY_SECONDS = 30.0
COMMAND_SECONDS = 20.0
QUIET_SECONDS = 90.0
"""For leases to lapse and outboxes to be emptied, at a machine that is busy with other things."""
NOTHING_IS_HELD = """
SELECT NOT EXISTS (SELECT FROM quotad.reservations WHERE state IN ('reserved', 'pending'))
    AND coalesce((SELECT sum(held) FROM quotad.windows), 0) = 0
"""


@dataclass(slots=True)
class Life:
    """A program that is started again and again on the same port, with a log for each of its lives."""

    name: str
    argv: Sequence[str]
    says_when_ready: str
    directory: Path
    environment: Mapping[str, str]
    process: RunningProcess | None = None
    starts: int = 0

    def start(self) -> None:
        self.starts += 1
        log = self.directory / f"{self.name}-{self.starts}.log"
        self.process = start_process(self.argv, log, env=self.environment, cwd=self.directory)

    async def ready(self) -> None:
        await asyncio.to_thread(self.wait_ready)

    def wait_ready(self) -> None:
        assert self.process is not None
        self.process.wait_for_output(self.says_when_ready, READY_SECONDS)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()

    async def killed_and_started(self) -> None:
        self.kill()
        self.start()
        await self.ready()

    async def stopped_and_started(self) -> None:
        """By SIGTERM: it may finish what it has."""
        assert self.process is not None
        self.process.signal(signal.SIGTERM)
        await asyncio.to_thread(self.process.wait, READY_SECONDS)
        self.start()
        await self.ready()

    def defects(self) -> list[str]:
        """What its logs call an error, over all its lives."""
        logs = sorted(self.directory.glob(f"{self.name}-*.log"))
        lines = (line for log in logs for line in log.read_text("utf-8", errors="replace").splitlines())
        return [line for line in lines if '"level": "error"' in line]


@dataclass(slots=True)
class Site:
    """Everything, running."""

    directory: Path
    postgres: Embedded
    upstream: Life
    upstream_url: str
    daemons: tuple[Life, ...]
    daemon_addresses: tuple[str, ...]
    proxies: tuple[Life, ...]
    proxy_urls: tuple[str, ...]
    http: httpx2.AsyncClient = field(repr=False)

    async def create_key(self, name: str, *limits: Limit) -> CreatedKey:
        async with Connection(self.daemon_addresses[0], ADMIN_TOKEN) as connection:
            return await AdminClient(connection, "truth").create_api_key(name, limits=limits)

    async def misbehave(self, *behaviours: str) -> None:
        """The next requests meet these, whoever sends them."""
        answer = await self.http.post(f"{self.upstream_url}/demo/behaviours", json={"behaviours": list(behaviours)})
        assert answer.status_code == 200, answer.text

    async def expire(self, *tokens: str) -> None:
        answer = await self.http.post(f"{self.upstream_url}/demo/credentials", json={"expired": list(tokens)})
        assert answer.status_code == 200, answer.text

    async def book(self) -> list[dict[str, object]]:
        """What the upstream was asked, and what it reported."""
        entries: list[dict[str, object]] = (await self.http.get(f"{self.upstream_url}/demo/book")).json()["entries"]
        return entries

    @asynccontextmanager
    async def database(self) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
        connection = await asyncpg.connect(self.postgres.url)
        try:
            await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
            yield connection
        finally:
            await connection.close()

    async def nothing_is_held(self) -> None:
        """Until every settlement was delivered, and every lease of a killed proxy has lapsed."""
        async with self.database() as connection:
            await eventually(lambda: connection.fetchval(NOTHING_IS_HELD), QUIET_SECONDS, step_seconds=0.1)

    async def assert_sound(self) -> None:
        assert await differences(self.postgres.url) == []
        for life in (*self.daemons, *self.proxies):
            assert life.defects() == [], life.defects()[:5]


@contextmanager
def site(accounts: Sequence[Sequence[str]], settings: Mapping[str, str]) -> Iterator[Site]:
    """Everything started and ready; `accounts` are arguments of `quota-proxy accounts add`."""
    with ExitStack() as ending:
        directory = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="quota-truth-")))
        postgres = Embedded(DURABLE)
        ending.callback(postgres.close)
        postgres.start()
        run_apart(_migrate(postgres.url))
        upstream_listen = free_listen()
        upstream_url = f"http://{upstream_listen}"
        daemons = tuple((str(free_listen()), f"quotad-{name}") for name in "ab")
        common = _environment(postgres.url, directory, [address for address, _ in daemons]) | dict(settings)
        argv = (command("quota-proxy"), "demo-upstream", "--listen", str(upstream_listen))
        upstream = Life("upstream", argv, "demo upstream ready", directory, common)
        lives = [_daemon(address, name, directory, common) for address, name in daemons]
        urls = [str(free_listen()) for _ in "pq"]
        proxies = [_proxy(listen, f"proxy-{name}", directory, common) for listen, name in zip(urls, "pq", strict=True)]
        for life in (upstream, *lives):
            life.start()
            ending.callback(life.kill)
        for account in accounts:
            _add_account(account, f"{upstream_url}/v1", f"{upstream_url}/oauth/token", common)
        for proxy in proxies:
            proxy.start()
            ending.callback(proxy.kill)
        for life in (upstream, *lives, *proxies):
            life.wait_ready()
        http = httpx2.AsyncClient(timeout=COMMAND_SECONDS, trust_env=False)
        proxy_urls = tuple(f"http://{listen}" for listen in urls)
        addresses = tuple(address for address, _ in daemons)
        yield Site(
            *(directory, postgres, upstream, upstream_url, tuple(lives), addresses, tuple(proxies), proxy_urls, http)
        )


async def _migrate(database_url: str) -> None:
    for service in ("quotad", "proxy"):
        await migrate(database_url, Migrations(service))


def _environment(database_url: str, directory: Path, daemons: Sequence[str]) -> dict[str, str]:
    return {
        **clean_environment(),
        "QUOTAD_DATABASE_URL": database_url,
        "QUOTAD_BOOTSTRAP_DATA_TOKEN": DATA_TOKEN,
        "QUOTAD_BOOTSTRAP_ADMIN_TOKEN": ADMIN_TOKEN,
        "QUOTAD_DEFAULT_LEASE_SECONDS": str(LEASE_SECONDS),
        "PROXY_DATABASE_URL": database_url,
        "PROXY_QUOTAD_ADDRESS": ",".join(daemons),
        "PROXY_QUOTAD_TOKEN": DATA_TOKEN,
        "PROXY_KEY_FILE": str(directory / "proxy.key"),
        "PROXY_OUTBOX_DIR": str(directory / "outbox"),
        "PROXY_LEASE_SECONDS": str(LEASE_SECONDS),
    }


def _daemon(address: str, name: str, directory: Path, environment: Mapping[str, str]) -> Life:
    argv = (command("quotad"), "serve", "--listen", address, "--metrics-listen", "127.0.0.1:0")
    return Life(name, argv, "quotad is ready", directory, environment)


def _proxy(listen: str, name: str, directory: Path, environment: Mapping[str, str]) -> Life:
    argv = (command("quota-proxy"), "serve", "--listen", listen, "--metrics-listen", "127.0.0.1:0")
    return Life(name, argv, "proxy started", directory, environment)


def _add_account(account: Sequence[str], base_url: str, token_url: str, environment: Mapping[str, str]) -> None:
    oauth = ("--token-url", token_url, "--client-id", "truth") if "--refresh-token" in account else ()
    argv = (command("quota-proxy"), "accounts", "add", *account, "--base-url", base_url, *oauth)
    subprocess.run(
        argv, env=dict(environment), cwd=REPOSITORY, check=True, capture_output=True, timeout=COMMAND_SECONDS
    )
