"""A quotad, a demo upstream and a proxy worker on real sockets in the test's own loop, over the test's database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
from openai import AsyncOpenAI
from pydantic import SecretStr

from proxy.config import ProxySettings
from proxy.demo_upstream.running import Serving, serving
from proxy.http.app import Worker, create_app, open_worker
from proxy.records import read, write
from proxy.records.accounts import ApiKeyCredentials, NewAccount
from proxy.records.secrets import load_secret_box
from quotad.client.admin import AdminClient
from quotad.client.connection import Connection
from quotad.client.data import DataClient
from quotad.client.types import CreatedKey, Limit, LimitStatus, Window, WindowKind
from quotad.server.daemon import running
from quotad.server.settings import DaemonSettings
from servicekit.database import create_engine
from servicekit.listening import Listen, bind
from servicekit.web import http_server
from tests.support.waiting import eventually

DATA_TOKEN = "data-token-of-the-tests"
ADMIN_TOKEN = "admin-token-of-the-tests"
LOOPBACK = "127.0.0.1:0"
MODEL = "gpt-5.1"


def limit(metric: str, max_value: int, window: WindowKind = WindowKind.DAY, model_pattern: str = "") -> Limit:
    return Limit(metric, Window(window), max_value, model_pattern)


@dataclass(frozen=True, slots=True)
class World:
    """Everything behind one proxy, and the proxy."""

    url: str
    worker: Worker
    demo: Serving
    quotad: str
    database_url: str

    def openai(self, key: CreatedKey, *, retries: int = 0, **options: Any) -> AsyncOpenAI:
        return AsyncOpenAI(api_key=key.secret, base_url=f"{self.url}/v1", max_retries=retries, timeout=15, **options)

    def http(self, key: CreatedKey | None = None) -> httpx2.AsyncClient:
        headers = {"authorization": f"Bearer {key.secret}"} if key else {}
        return httpx2.AsyncClient(base_url=self.url, headers=headers, timeout=15)

    async def create_key(
        self, *limits: Limit, allowed_models: Sequence[str] = (), disabled: bool = False
    ) -> CreatedKey:
        async with Connection(self.quotad, ADMIN_TOKEN) as connection:
            admin = AdminClient(connection, "test")
            return await admin.create_api_key(
                "alice", limits=limits, allowed_models=tuple(allowed_models), disabled=disabled
            )

    async def limits(self, key: CreatedKey) -> tuple[LimitStatus, ...]:
        async with Connection(self.quotad, DATA_TOKEN) as connection:
            return (await DataClient(connection).describe_key(api_key_id=key.api_key.api_key_id)).limits

    async def held(self, key: CreatedKey) -> int:
        return sum(status.held for status in await self.limits(key))

    async def nothing_held(self, key: CreatedKey) -> None:
        async def is_free() -> bool:
            return await self.held(key) == 0

        await eventually(is_free)

    async def remove_accounts(self) -> None:
        engine = create_engine(self.database_url, connections_max=1, application_name="test")
        async with engine.begin() as connection:
            for account in await read.list_accounts(connection):
                await write.remove_account(connection, account.account_id)
        await engine.dispose()

    async def rows(self, count: int) -> list[Mapping[str, Any]]:
        """The request log once it has this many rows."""

        async def written() -> list[Mapping[str, Any]] | None:
            rows = await _rows(self.database_url)
            return rows if len(rows) >= count else None

        return await eventually(written) or []


@asynccontextmanager
async def open_world(database_url: str, directory: Path, **settings: Any) -> AsyncIterator[World]:
    """A world of its own; `settings` are the proxy's."""
    daemon_settings = DaemonSettings(
        database_url=SecretStr(database_url),
        listen=LOOPBACK,
        metrics_listen=LOOPBACK,
        bootstrap_data_token=SecretStr(DATA_TOKEN),
        bootstrap_admin_token=SecretStr(ADMIN_TOKEN),
    )
    async with serving(Listen("127.0.0.1", 0)) as demo, running(daemon_settings) as daemon:
        given: dict[str, Any] = {
            "database_url": database_url,
            "quotad_address": daemon.address,
            "quotad_token": SecretStr(DATA_TOKEN),
            "key_file": directory / "proxy.key",
            "outbox_dir": directory / "outbox",
            "request_log_flush_seconds": 0.05,
            "stop_seconds": 2.0,
        }
        proxy_settings = ProxySettings(**(given | settings))
        await _add_account(proxy_settings, demo.base_url)
        async with serving_proxy(proxy_settings) as (url, worker):
            yield World(url, worker, demo, daemon.address, database_url)


@asynccontextmanager
async def serving_proxy(settings: ProxySettings) -> AsyncIterator[tuple[str, Worker]]:
    """One worker behind a real listener."""
    async with open_worker(settings) as worker:
        listener = bind(Listen.parse(LOOPBACK), setting="test")
        listener.listen()
        server = http_server(create_app(worker.services), stop_seconds=1)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", worker
        finally:
            server.should_exit = True
            await task


async def _add_account(settings: ProxySettings, base_url: str) -> None:
    engine = create_engine(settings.database_url, connections_max=1, application_name="test")
    box = load_secret_box(settings.key_file)
    async with engine.begin() as connection:
        await write.add_account(connection, NewAccount("first", base_url, ApiKeyCredentials("sk-up")), box)
    await engine.dispose()


async def _rows(database_url: str) -> list[Mapping[str, Any]]:
    connection = await asyncpg.connect(database_url)
    try:
        return [dict(row) for row in await connection.fetch("SELECT * FROM proxy.request_logs ORDER BY start_time")]
    finally:
        await connection.close()
