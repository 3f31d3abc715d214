"""The application, and the parts behind it: opened in order, closed in the opposite order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from argon2 import PasswordHasher
from fastapi import APIRouter, Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.security import APIKeyCookie
from pydantic.alias_generators import to_camel
from sqlalchemy import text
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from dashboard import failures
from dashboard.api import (
    accounts,
    api_keys,
    audit,
    auth,
    events,
    exports,
    groups,
    health,
    overview,
    rate_limits,
    refusals,
    request_logs,
    reservations,
    sessions,
    settings,
    totp,
)
from dashboard.api.schema import ErrorAnswer
from dashboard.auth import cookies
from dashboard.auth.bootstrap import BootstrapToken
from dashboard.auth.guard import Guard
from dashboard.auth.passwords import Passwords
from dashboard.config import DashboardSettings
from dashboard.database import Database
from dashboard.errors import DashboardError, DatabaseUnavailable, ExportsBusy
from dashboard.headers import SecurityHeaders
from dashboard.live import Live
from dashboard.page import BUILT_PAGE, Page
from dashboard.services import Services
from dashboard.turns import Turns
from dashboard.watch import Watch
from quotad.client.connection import Connection
from quotad.client.types import OutcomeUnknown
from quotad.errors import QuotaError
from servicekit.database import create_engine
from servicekit.migrations import Migrations, require_current
from servicekit.sealing import Sealer, load_key

MIGRATIONS = Migrations("dashboard")
READY_SECONDS_MAX = 2.0

BEHIND_SIGN_IN: tuple[APIRouter, ...] = (
    totp.router,
    sessions.router,
    overview.router,
    exports.router,
    request_logs.router,
    refusals.router,
    reservations.router,
    rate_limits.router,
    api_keys.router,
    groups.router,
    accounts.router,
    audit.router,
    settings.router,
    events.router,
)


def create_api(page_directory: Path = BUILT_PAGE) -> FastAPI:
    """The routes, without anything behind them: enough for `openapi()`."""
    app = FastAPI(
        title="Quota dashboard",
        version="1",
        description="What the operator's page, and scripts that sign in like it, read and change.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
        responses={"default": {"model": ErrorAnswer, "description": "Why there is no other answer"}},
        exception_handlers={
            DashboardError: failures.answer_refusal,
            QuotaError: failures.answer_quotad,
            OutcomeUnknown: failures.answer_quotad,
            RequestValidationError: failures.answer_invalid,
            HTTPException: failures.answer_routing,
            Exception: failures.answer_defect,
        },
    )
    app.add_middleware(Guard)
    app.include_router(health.router)
    app.include_router(auth.router)
    documented = Depends(APIKeyCookie(name=cookies.NAME, scheme_name="session", auto_error=False))
    for router in BEHIND_SIGN_IN:
        app.include_router(router, dependencies=[documented])
    app.router.default = Page(page_directory)
    return app


def create_app(services: Services, page_directory: Path = BUILT_PAGE) -> ASGIApp:
    """The routes over open services, as a server runs them."""
    app = create_api(page_directory)
    app.state.services = services
    return SecurityHeaders(app)


@asynccontextmanager
async def open_database(settings: DashboardSettings) -> AsyncIterator[Database]:
    """The database alone, at this program's schema.

    Raises `SchemaUnknown`, `DatabaseUrlInvalid`, `DatabaseUnavailable` and whatever the driver raises.
    """
    engine = create_engine(
        settings.database_url.get_secret_value(),
        connections_max=settings.database_connections_max,
        application_name="quota-dashboard",
    )
    try:
        async with asyncio.timeout(settings.database_seconds_max):
            await require_current(engine, MIGRATIONS)
        yield Database(engine, settings.database_seconds_max)
    finally:
        await engine.dispose()


@asynccontextmanager
async def open_services(settings: DashboardSettings) -> AsyncIterator[Services]:
    """Open what the routes need; quotad may be away, database and key may not.

    Raises `SecretKeyUnusable`, and what `open_database` raises.
    """
    key = load_key(settings.key_file, settings.secret_key.get_secret_value(), setting="DASHBOARD_SECRET_KEY")
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings))
        quotad = await stack.enter_async_context(_quotad(settings))
        live = Live(Watch(database, quotad).look, settings.event_streams_max, settings.event_watch_seconds)
        stack.push_async_callback(live.close)
        yield Services(
            settings=settings,
            database=database,
            quotad=quotad,
            passwords=Passwords(PasswordHasher(), settings.hashes_max),
            bootstrap=BootstrapToken.given_or_new(settings.bootstrap_token.get_secret_value()),
            sealer=Sealer(*key),
            export_turns=Turns(settings.exports_max, ExportsBusy),
            live=live,
        )


async def is_ready(services: Services) -> bool:
    """Whether the database answers; without quotad the log can still be read."""
    try:
        async with asyncio.timeout(READY_SECONDS_MAX), services.database.transaction() as connection:
            await connection.execute(text("SELECT 1"))
    except (DatabaseUnavailable, TimeoutError):
        return False
    return True


def _quotad(settings: DashboardSettings) -> Connection:
    return Connection(
        settings.quotad_addresses,
        settings.quotad_token.get_secret_value(),
        call_timeout_seconds=settings.quotad_call_seconds,
        retry_seconds=settings.quotad_retry_seconds,
        tls_ca=settings.quotad_tls_ca,
        tls_cert=settings.quotad_tls_cert,
        tls_key=settings.quotad_tls_key,
    )


def _operation_id(route: APIRoute) -> str:
    return to_camel(route.name)
