"""A proxy between a real ledger and the misbehaving upstream, and what tests ask of the three."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
from pydantic import SecretStr

from proxy.config import ProxySettings
from proxy.demo_upstream.answers import Usage
from proxy.demo_upstream.behaviours import Behaviour
from proxy.demo_upstream.book import Entry
from proxy.demo_upstream.running import Serving, serving
from proxy.http.app import Worker
from proxy.records import write
from proxy.records.accounts import ApiKeyCredentials, NewAccount, OAuthCredentials
from proxy.records.secrets import load_secret_box
from quotad.client.types import CreatedKey, KeyPolicies, OnMissingUsage
from servicekit.database import create_engine
from servicekit.listening import Listen
from tests.proxy.http.world import serving_proxy
from tests.support.daemons import DATA_TOKEN, Daemon, limit, quotad
from tests.support.waiting import eventually

MODEL = "gpt-5.1"
LIMIT = 1_000_000
REQUEST: Mapping[str, Any] = {"model": MODEL, "input": "Say something."}
STREAM: Mapping[str, Any] = {**REQUEST, "stream": True}
HASTY: Mapping[str, Any] = {"quotad_seconds_max": 0.5, "quotad_retry_seconds": 0.5}
"""Settings for tests in which quotad does not answer."""
HELD = {"requests": 1, "input_tokens": 5, "output_tokens": 4096, "total_tokens": 4101}
"""What these requests hold: 14 bytes of text, and the default output."""

MakeAccount = Callable[[Serving], NewAccount]

USD_PER_MILLION = {"input": 1.25, "cached_input": 0.125, "output": 10}
"""What `MODEL` costs."""

RESERVATIONS = "SELECT r.*, coalesce(r.actual, '{}') AS actual FROM quotad.reservations AS r"


@dataclass(slots=True)
class Scene:
    """One proxy with its surroundings."""

    daemon: Daemon
    demo: Serving
    url: str
    worker: Worker
    client: httpx2.AsyncClient
    key: CreatedKey

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What the upstream was asked, and what it reported."""
        return self.demo.upstream.book.entries

    def misbehave(self, *behaviours: str, credential: str | None = None) -> None:
        """For the next requests, in this order."""
        self.demo.upstream.behaviours.add([Behaviour.parse(value) for value in behaviours], credential)

    async def account_state(self, name: str) -> tuple[str, Any]:
        row = await self.fetch_row("SELECT state, until FROM proxy.accounts WHERE name = $1", name)
        return row["state"], row["until"]

    async def create_key(self, on_missing_usage: OnMissingUsage, *, max_value: int = LIMIT) -> CreatedKey:
        policies = KeyPolicies(on_missing_usage=on_missing_usage)
        async with self.daemon.admin() as admin:
            return await admin.create_api_key("bob", limits=(limit(max_value=max_value),), policies=policies)

    async def post(
        self,
        body: Mapping[str, Any] = REQUEST,
        *,
        behaviour: str = "",
        words: int = 5,
        path: str = "/v1/responses",
        key: CreatedKey | None = None,
    ) -> httpx2.Response:
        """The whole answer."""
        return await self.client.post(path, json=dict(body), headers=self._headers(behaviour, words, key))

    @asynccontextmanager
    async def streaming(
        self,
        *,
        behaviour: str = "",
        words: int = 5,
        body: Mapping[str, Any] = STREAM,
        path: str = "/v1/responses",
        key: CreatedKey | None = None,
    ) -> AsyncIterator[httpx2.Response]:
        """An answer that is read, or left, by the test."""
        headers = self._headers(behaviour, words, key)
        async with self.client.stream("POST", path, json=dict(body), headers=headers) as response:
            yield response

    async def reservations(self) -> list[Mapping[str, Any]]:
        """All of the ledger's, oldest first."""
        return await self.fetch(f"{RESERVATIONS} ORDER BY create_time")

    async def the_reservation(self) -> Mapping[str, Any]:
        """The only one, once it is settled."""

        async def settled() -> bool:
            found = await self.reservations()
            assert len(found) <= 1
            return bool(found) and found[0]["state"] in ("finalized", "released")

        await eventually(settled)
        return (await self.reservations())[0]

    async def reservation_of(self, response: httpx2.Response) -> Mapping[str, Any]:
        """The reservation that an answer names; it is settled by then."""
        reservation_id = response.headers["x-quota-reservation-id"]
        return await self.fetch_row(f"{RESERVATIONS} WHERE reservation_id = $1", reservation_id)

    async def counters(self) -> tuple[int, int]:
        """Held and used, over all windows."""
        row = await self.fetch_row(
            "SELECT coalesce(sum(held), 0) held, coalesce(sum(used), 0) used FROM quotad.windows"
        )
        return int(row["held"]), int(row["used"])

    async def rows(self, count: int = 1) -> list[Mapping[str, Any]]:
        """The request log, once it has this many rows."""

        async def written() -> list[Mapping[str, Any]] | None:
            found = await self.fetch("SELECT * FROM proxy.request_logs ORDER BY start_time")
            return found if len(found) >= count else None

        found = await eventually(written) or []
        assert len(found) == count
        return found

    async def the_row(self) -> Mapping[str, Any]:
        return (await self.rows(1))[0]

    async def idle(self) -> None:
        """Until no request runs any more."""
        await eventually(lambda: self.worker.runner.running == 0)

    async def fetch(self, query: str, *arguments: object) -> list[Mapping[str, Any]]:
        connection = await asyncpg.connect(self.daemon.database_url)
        try:
            await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
            return [dict(row) for row in await connection.fetch(query, *arguments)]
        finally:
            await connection.close()

    async def fetch_row(self, query: str, *arguments: object) -> Mapping[str, Any]:
        return (await self.fetch(query, *arguments))[0]

    def _headers(self, behaviour: str, words: int, key: CreatedKey | None) -> dict[str, str]:
        headers = {"authorization": f"Bearer {(key or self.key).secret}", "x-demo-words": str(words)}
        return headers | ({"x-demo-behaviour": behaviour} if behaviour else {})


def cost_microusd(usage: Usage) -> int:
    """What an answer of `MODEL` costs that the upstream reported."""
    cached = usage.cached_input_tokens
    input_cost = (usage.input_tokens - cached) * USD_PER_MILLION["input"] + cached * USD_PER_MILLION["cached_input"]
    return math.ceil(input_cost + usage.output_tokens * USD_PER_MILLION["output"])


def static(name: str = "first", base_url: str = "") -> MakeAccount:
    """An account with a static key, at the demo upstream unless it is somewhere else."""
    return lambda demo: NewAccount(name, base_url or demo.base_url, ApiKeyCredentials(f"key-of-{name}"))


def oauth(name: str = "first") -> MakeAccount:
    def make(demo: Serving) -> NewAccount:
        credentials = OAuthCredentials(f"first-{name}", f"refresh-{name}")
        return NewAccount(name, demo.base_url, credentials, token_url=f"{demo.url}/oauth/token", client_id="test")

    return make


@asynccontextmanager
async def open_scene(
    database_url: str,
    directory: Path,
    *accounts: MakeAccount,
    daemon: Mapping[str, object] | None = None,
    **settings: Any,
) -> AsyncIterator[Scene]:
    """A scene; `settings` are the proxy's, `daemon` quotad's. The ledger must add up when it ends."""
    async with quotad(database_url, **(daemon or {})) as running, serving(Listen("127.0.0.1", 0)) as demo:
        given: dict[str, Any] = {
            "database_url": database_url,
            "quotad_address": running.address,
            "quotad_token": SecretStr(DATA_TOKEN),
            "key_file": directory / "proxy.key",
            "outbox_dir": directory / "outbox",
            "request_log_flush_seconds": 0.05,
            "stop_seconds": 1.0,
        }
        proxy_settings = ProxySettings(**(given | settings))
        await _add_accounts(proxy_settings, [make(demo) for make in accounts])
        key = await running.create_key(limit(max_value=LIMIT))
        async with (
            serving_proxy(proxy_settings) as (url, worker),
            httpx2.AsyncClient(base_url=url, timeout=15) as client,
        ):
            yield Scene(running, demo, url, worker, client, key)


@asynccontextmanager
async def held_open(scene: AbstractAsyncContextManager[Scene]) -> AsyncIterator[Scene]:
    """A scene opened and closed by one task, as task groups need where a fixture holds it."""
    opened: asyncio.Future[Scene] = asyncio.get_running_loop().create_future()
    done = asyncio.Event()

    async def hold() -> None:
        async with scene as held:
            opened.set_result(held)
            await done.wait()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(hold())
        yield await opened
        done.set()


async def _add_accounts(settings: ProxySettings, accounts: Sequence[NewAccount]) -> None:
    engine = create_engine(settings.database_url, connections_max=1, application_name="test")
    box = load_secret_box(settings.key_file)
    async with engine.begin() as connection:
        for account in accounts:
            await write.add_account(connection, account, box)
    await engine.dispose()
