"""The application, and the parts behind it: opened in order, closed in the opposite order.

Closing lets running requests finish and settle before the request log is flushed and the connections go.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from fastapi import FastAPI, Request, Response
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.exceptions import HTTPException

from proxy.accounts.opening import open_accounts
from proxy.accounts.pool import AccountPool
from proxy.config import ProxySettings
from proxy.errors import BadRequest, InternalError, MethodNotAllowed, ProxyError, UnknownPath
from proxy.http.bodies import BodyBudget
from proxy.http.context import RequestIdentity, context_of
from proxy.http.errors import error_response
from proxy.http.headers import REQUEST_ID
from proxy.http.keys import KeyDirectory
from proxy.http.models import ModelList
from proxy.http.rejections import Rejections
from proxy.http.routes import relays, router, services_of
from proxy.http.services import Services
from proxy.outgoing import Outgoing
from proxy.records.secrets import load_secret_box
from proxy.request_log import RequestLogWriter
from proxy.request_log_upkeep import RequestLogUpkeep
from proxy.requests.runner import RequestRunner, open_runner
from quotad.client.connection import Connection
from quotad.client.data import DataClient
from quotad.client.types import OutcomeUnknown
from quotad.errors import ApiKeyUnknown, QuotaError
from servicekit.background import in_background
from servicekit.database import DatabaseUnusable, connect, create_engine
from servicekit.migrations import Migrations, require_current

MIGRATIONS = Migrations("proxy")
READY_SECONDS_MAX = 2.0
NO_KEY = "readiness"
"""A secret that no key has."""

log = structlog.get_logger(__name__)


def create_app(services: Services) -> FastAPI:
    """The routes over open services; `app.openapi()` is their document, which is not served: unknown paths are 404."""
    app = FastAPI(
        title="Quota proxy",
        version="1",
        description="The OpenAI Responses API under the limits of the caller's key.",
        openapi_url=None,
        redirect_slashes=False,
        exception_handlers={ProxyError: _answer, HTTPException: _answer_routing, Exception: _answer_defect},
    )
    app.state.services = services
    app.add_middleware(RequestIdentity)
    app.include_router(relays)
    app.include_router(router)
    return app


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker's open parts."""

    services: Services
    runner: RequestRunner
    engine: AsyncEngine
    quota: DataClient

    async def is_ready(self) -> bool:
        """Whether quotad, with its database, and the proxy's own database answer."""
        try:
            async with asyncio.timeout(READY_SECONDS_MAX):
                return await self._database_answers() and await self._quotad_answers()
        except TimeoutError:
            return False

    async def _database_answers(self) -> bool:
        try:
            async with connect(self.engine) as connection:
                await connection.execute(text("SELECT 1"))
        except (DatabaseUnusable, SQLAlchemyError, OSError) as exc:
            log.warning("database not ready", error=str(exc))
            return False
        return True

    async def _quotad_answers(self) -> bool:
        try:
            await self.quota.describe_key(api_key=NO_KEY)
        except ApiKeyUnknown:
            return True
        except (QuotaError, OutcomeUnknown) as exc:
            log.warning("quotad not ready", error=str(exc))
            return False
        return True


@asynccontextmanager
async def open_worker(settings: ProxySettings) -> AsyncIterator[Worker]:
    """Open a worker's parts, and close them so that requests end, settlements arrive and rows are written.

    quotad may be away: the worker then answers 503. The database must be there, with the schema that this program
    knows. Raises `SchemaUnknown`, `SecretKeyUnusable`, `DatabaseUrlInvalid` or `DatabaseUnusable`.
    """
    async with AsyncExitStack() as stack:
        engine = create_engine(
            settings.database_url,
            connections_max=settings.database_connections_max,
            application_name="quota-proxy",
        )
        stack.push_async_callback(engine.dispose)
        await require_current(engine, MIGRATIONS)
        connection = await stack.enter_async_context(_quotad(settings))
        outgoing = await stack.enter_async_context(Outgoing(settings.outgoing_seconds_max))
        secret_box = load_secret_box(settings.key_file, settings.secret_key.get_secret_value())
        accounts = await stack.enter_async_context(open_accounts(engine, settings, secret_box, outgoing))
        pool = accounts.pool
        stored = accounts.operator_settings
        upkeep = RequestLogUpkeep(engine, lambda: stored.current.request_log_retention_days)
        await stack.enter_async_context(in_background(upkeep.run(), "keep the request log's days"))
        request_log = await stack.enter_async_context(RequestLogWriter(engine, settings))
        prices = accounts.operator_settings.prices
        runner = await stack.enter_async_context(open_runner(settings, connection, pool, request_log, prices))
        quota = DataClient(connection)
        services = Services(
            settings=settings,
            keys=_keys(settings, quota),
            bodies=BodyBudget(settings.bodies_bytes_max),
            models=_models(settings, pool, outgoing),
            accounts=accounts,
            rejections=Rejections(request_log, time.monotonic, per_second_max=settings.rejections_per_second_max),
            runner=runner,
        )
        yield Worker(services, runner, engine, quota)


def _quotad(settings: ProxySettings) -> Connection:
    return Connection(
        settings.quotad_addresses,
        settings.quotad_token.get_secret_value(),
        call_timeout_seconds=settings.quotad_seconds_max,
        retry_seconds=settings.quotad_retry_seconds,
        tls_ca=settings.quotad_tls_ca,
        tls_cert=settings.quotad_tls_cert,
        tls_key=settings.quotad_tls_key,
    )


def _keys(settings: ProxySettings, quota: DataClient) -> KeyDirectory:
    return KeyDirectory(
        quota,
        time.monotonic,
        cache_seconds=settings.key_cache_seconds,
        stale_seconds=settings.key_stale_seconds,
        keys_max=settings.key_cache_keys_max,
    )


def _models(settings: ProxySettings, pool: AccountPool, outgoing: Outgoing) -> ModelList:
    return ModelList(
        pool,
        outgoing,
        time.monotonic,
        cache_seconds=settings.models_cache_seconds,
        attempts_max=settings.attempts_max,
    )


async def _answer(request: Request, error: Exception) -> Response:
    """A request that got no task: noted once, and answered."""
    if not isinstance(error, ProxyError):
        raise error
    context = context_of(request)
    if not isinstance(error, UnknownPath | MethodNotAllowed):
        services_of(request).rejections.note(context, error)
    headers = [*context.pool_headers, *context.limit_headers(datetime.now(UTC))]
    return error_response(error, codex=context.is_codex, headers=headers)


async def _answer_routing(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    path = request.url.path
    match error.status_code:
        case 404:
            return await _answer(request, UnknownPath(request.method, path))
        case 405:
            allow = (error.headers or {}).get("Allow", "")
            return await _answer(request, MethodNotAllowed(request.method, path, allow))
        case _:
            return await _answer(request, BadRequest("The request cannot be read."))


async def _answer_defect(request: Request, _error: Exception) -> Response:
    """The server logs the defect with its traceback after this."""
    context = context_of(request)
    log.error("request failed by a defect", request_id=context.request_id, path=context.path)
    response = await _answer(request, InternalError())
    response.headers[REQUEST_ID] = context.request_id
    return response
