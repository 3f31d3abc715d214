"""A dashboard inside the test's event loop, on a real socket, over the test's database."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pyotp
from argon2 import PasswordHasher
from cryptography.fernet import Fernet
from sqlalchemy import make_url, text

from dashboard.app import create_app, open_services
from dashboard.auth.passwords import Passwords
from dashboard.config import load_dashboard_settings
from dashboard.page import BUILT_PAGE
from dashboard.services import Services
from servicekit.listening import Listen, bind
from servicekit.web import Tls, http_server
from tests.support.waiting import eventually

BOOTSTRAP_TOKEN = "bootstrap-token-of-the-tests"
PASSWORD = "correct horse battery"
NOWHERE = "127.0.0.1:1"
"""An address where no quotad is."""
SECRET_KEY = Fernet.generate_key().decode()
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""Tests sign in a hundred times."""


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A running dashboard."""

    url: str
    services: Services
    verify: ssl.SSLContext | bool = True

    def client(self, **headers: str) -> httpx2.AsyncClient:
        """Someone with a cookie jar of their own."""
        return httpx2.AsyncClient(base_url=self.url, headers=headers, verify=self.verify, timeout=20)

    @asynccontextmanager
    async def signed_in(self) -> AsyncIterator[httpx2.AsyncClient]:
        """The operator, who sets the first password if need be."""
        async with self.client() as client:
            session = (await client.get("/api/auth/session")).json()
            if session["passwordSet"]:
                answer = await sign_in(client)
            else:
                answer = await set_first_password(client)
            assert answer.status_code == 200, answer.text
            client.headers["X-CSRF-Token"] = answer.json()["csrfToken"]
            yield client

    async def execute(self, statement: str) -> None:
        async with self.services.database.transaction() as connection:
            await connection.execute(text(statement))

    @asynccontextmanager
    async def database_away(self) -> AsyncIterator[None]:
        """While the block runs, nobody can connect to the database, and whoever was connected is cut off."""
        url = make_url(self.services.settings.database_url.get_secret_value())
        connection = await asyncpg.connect(url.set(database="postgres").render_as_string(hide_password=False))
        try:
            await connection.execute(f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS false")
            cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1"
            await connection.execute(cut, url.database)
            yield
        finally:
            await connection.execute(f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS true")
            await connection.close()


async def set_first_password(
    client: httpx2.AsyncClient, token: str = BOOTSTRAP_TOKEN, password: str = PASSWORD
) -> httpx2.Response:
    return await client.post("/api/auth/password", json={"bootstrapToken": token, "newPassword": password})


async def sign_in(client: httpx2.AsyncClient, password: str = PASSWORD) -> httpx2.Response:
    return await client.post("/api/auth/login", json={"password": password})


@dataclass(frozen=True, slots=True)
class Authenticator:
    """The operator's app, and the recovery codes beside it."""

    secret: str
    recovery_codes: tuple[str, ...]

    def code(self) -> str:
        return pyotp.TOTP(self.secret).now()

    async def fresh_code(self, dashboard: Dashboard) -> str:
        """A code of a step that is not spent, as if time had passed since the last one."""
        await dashboard.execute("UPDATE dashboard.totp SET last_step = last_step - 10")
        return self.code()


async def set_up_totp(operator: httpx2.AsyncClient) -> Authenticator:
    """Turn one-time passwords on in this session, which has then shown a code."""
    setup = (await operator.post("/api/auth/totp/setup")).json()
    confirmed = await operator.post("/api/auth/totp/confirm", json={"code": pyotp.TOTP(setup["secret"]).now()})
    assert confirmed.status_code == 200, confirmed.text
    return Authenticator(setup["secret"], tuple(confirmed.json()["recoveryCodes"]))


async def verify(client: httpx2.AsyncClient, code: str) -> httpx2.Response:
    return await client.post("/api/auth/totp/verify", json={"code": code})


async def recover(client: httpx2.AsyncClient, code: str) -> httpx2.Response:
    return await client.post("/api/auth/totp/verify", json={"recoveryCode": code})


async def disable(client: httpx2.AsyncClient, code: str) -> httpx2.Response:
    return await client.post("/api/auth/totp/disable", json={"code": code})


def code_of(answer: httpx2.Response) -> tuple[int, str]:
    """Status and error code of an answer in the shape that every error has."""
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "field"}
    assert error["message"]
    return answer.status_code, error["code"]


@asynccontextmanager
async def running(
    database_url: str,
    *,
    page: Path = BUILT_PAGE,
    tls: Tls | None = None,
    trusted_proxies: str = "",
    **settings: Any,
) -> AsyncIterator[Dashboard]:
    """A dashboard for the length of the block; without a quotad unless `quotad_address` names one."""
    defaults = {"bootstrap_token": BOOTSTRAP_TOKEN, "quotad_address": NOWHERE, "secret_key": SECRET_KEY}
    loaded = load_dashboard_settings(database_url=database_url, **{**defaults, **settings})
    async with open_services(loaded) as opened:
        services = replace(opened, passwords=Passwords(CHEAP, loaded.hashes_max))
        app = create_app(services, page)
        server = http_server(app, stop_seconds=1, tls=tls, trusted_proxies=trusted_proxies)
        listener = bind(Listen("127.0.0.1", 0), setting="test")
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        await eventually(lambda: server.started)
        try:
            host, port = listener.getsockname()
            verify = ssl.create_default_context(cafile=tls.cert) if tls else True
            yield Dashboard(f"{'https' if tls else 'http'}://{host}:{port}", services, verify)
        finally:
            server.should_exit = True
            await serving
