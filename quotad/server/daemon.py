"""Wiring of one daemon, from its settings to its last answer."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import grpc.aio
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from protos.quota.v1 import quota_pb2_grpc as rpc
from quotad.administration import TokenRole
from quotad.doctor.findings import Verdict
from quotad.doctor.judgements import durability_findings
from quotad.server import metrics
from quotad.server.admin import AdminServicer
from quotad.server.answering import Answering
from quotad.server.exchange import Exchanges
from quotad.server.health import SERVICES, Health
from quotad.server.interceptors import Authentication, Calls
from quotad.server.servicer import QuotaServicer
from quotad.server.settings import DaemonSettings
from quotad.server.tokens import TokenBook
from quotad.store import Store, sweeper
from servicekit.database import create_engine
from servicekit.listening import Listen, ListenRefused, bind
from servicekit.migrations import Migrations, require_current
from servicekit.serving import metrics_beside, require_safe_listener, serving_metrics, stop_event
from servicekit.settings import SettingsInvalid

if TYPE_CHECKING:  # its packages are an extra
    from quotad.server.tracing import Spans

MIGRATIONS = Migrations("quotad")
TRACES_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
REQUEST_BYTES_MAX = 4 * 1024 * 1024
"""A batch of 1,000 Reserves with a few labels each; a message of an Exchange has a bound of its own."""
METADATA_BYTES_MAX = 256 * 1024
"""A refusal names every limit of a key and of its groups, of which there are up to 128."""
PING_MILLISECONDS_MIN = 10_000
"""Clients that look after their connection more often than that are cut off."""
COLLECT_ALLOCATIONS = 50_000
"""Containers made before the collector looks at the young ones; at the usual 700 it takes a tenth of the time."""
STREAMS_STOP_SECONDS = 1.0
"""What open streams get once all calls are answered, and the time for the last answers to reach slow callers."""

OPTIONS = (
    ("grpc.so_reuseport", 0),  # a second daemon on the same port must fail, unless the port is shared on purpose
    ("grpc.max_receive_message_length", REQUEST_BYTES_MAX),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_metadata_size", METADATA_BYTES_MAX),
    ("grpc.absolute_max_metadata_size", METADATA_BYTES_MAX),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", PING_MILLISECONDS_MIN),
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Running:
    """A daemon that answers."""

    address: str
    metrics_address: str
    """Empty for a worker, whose parent serves them."""
    health: Health


async def serve(settings: DaemonSettings) -> None:
    """Run until SIGTERM or SIGINT, then stop: health first, no new calls, accepted ones answered, all bounded."""
    calm_collector()
    stopped = stop_event()
    async with running(settings) as daemon:
        log.info("quotad is ready", address=daemon.address, metrics=f"http://{daemon.metrics_address}/metrics")
        await stopped.wait()
        log.info("quotad is stopping")


def calm_collector() -> None:
    """Let the cycle collector leave alone what stays for good, and look at the rest seldom: the ledger makes none."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_ALLOCATIONS, 20, 100)


@asynccontextmanager
async def running(settings: DaemonSettings) -> AsyncIterator[Running]:
    """A daemon for the length of a block. Raises what keeps it from starting: see `quotad.cli.serve`."""
    require_safe_listener(settings, has_tls=settings.tls_cert is not None)
    async with _opened(settings) as store, _spans() as spans:
        health = Health(store)
        beside = metrics_beside(settings, lambda: _is_serving(health))
        async with serving_metrics(beside) as metrics_address, _answering(settings, store, health, spans) as address:
            yield Running(address, metrics_address, health)


@asynccontextmanager
async def running_worker(settings: DaemonSettings) -> AsyncIterator[Running]:
    """One of several daemons on a port that their parent holds."""
    async with _opened(settings) as store, _spans() as spans:
        health = Health(store)
        async with _answering(settings, store, health, spans, shares_port=True) as address:
            yield Running(address, "", health)


@asynccontextmanager
async def _opened(settings: DaemonSettings) -> AsyncIterator[Store]:
    store = await Store.open(settings.store_settings(), metrics.LEDGER)
    try:
        await _require_schema(settings)
        for finding in durability_findings(await store.server()):
            if finding.verdict is not Verdict.OK:
                log.warning(finding.said, advice=finding.advice)
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def _answering(
    settings: DaemonSettings, store: Store, health: Health, spans: Spans | None, *, shares_port: bool = False
) -> AsyncIterator[str]:
    tokens, calls = await _tokens(settings, store), Calls(settings.call_seconds_max, spans)
    answering = Answering(store.ledger, store.unbilled, settings.call_seconds_max)
    exchanges = Exchanges(answering, tokens, settings.stream_seconds_max)
    server = _bare_server([Authentication(tokens), calls], shares_port=shares_port)
    _add_services(server, store, tokens, answering, exchanges, health)
    port = _listen(server, settings, shares_port=shares_port)
    stopping = asyncio.Event()
    await health.check()
    await server.start()
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(health.watch(stopping))
            tasks.create_task(tokens.keep_fresh(stopping))
            tasks.create_task(sweeper.run(store.ledger, stopping, metrics.holds_expired.inc))
            tasks.create_task(store.retention.run(stopping, metrics.RETENTION))
            tasks.create_task(store.refusals.run(stopping, metrics.REFUSALS))
            tasks.create_task(store.unbilled.run(stopping))
            tasks.create_task(store.auditor.run(stopping, settings.audit_pause_seconds, metrics.note_audit))
            try:
                yield str(Listen(Listen.parse(settings.listen).host, port))
            finally:
                await health.stop()
                exchanges.stop()
                await _stop(server, calls, settings.stop_seconds)
                stopping.set()
    finally:
        await server.stop(None)


async def _stop(server: grpc.aio.Server, calls: Calls, seconds_max: float) -> None:
    """Refuse new calls and answer the accepted ones; a stream that only watches does not hold the stop up."""
    stopping = asyncio.create_task(server.stop(seconds_max))
    answered = asyncio.create_task(calls.all_answered())
    await asyncio.wait([answered, stopping], return_when=asyncio.FIRST_COMPLETED)
    answered.cancel()
    await server.stop(STREAMS_STOP_SECONDS)
    await stopping


def _bare_server(interceptors: Sequence[grpc.aio.ServerInterceptor], *, shares_port: bool) -> grpc.aio.Server:
    options = {**dict(OPTIONS), "grpc.so_reuseport": int(shares_port)}
    return grpc.aio.server(interceptors=interceptors, options=tuple(options.items()))


def _add_services(
    server: grpc.aio.Server,
    store: Store,
    tokens: TokenBook,
    answering: Answering,
    exchanges: Exchanges,
    health: Health,
) -> None:
    rpc.add_QuotaServiceServicer_to_server(QuotaServicer(answering, exchanges), server)
    rpc.add_AdminServiceServicer_to_server(AdminServicer(store, tokens), server)
    health_pb2_grpc.add_HealthServicer_to_server(health.servicer, server)
    names = (*SERVICES[1:], health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)


def _listen(server: grpc.aio.Server, settings: DaemonSettings, *, shares_port: bool) -> int:
    """The port that is listened on; raises `ListenRefused`."""
    listen = Listen.parse(settings.listen)
    if not shares_port:
        bind(listen, setting="QUOTAD_LISTEN").close()  # says why it cannot be had; gRPC does not
    try:
        if settings.tls_cert is None or settings.tls_key is None:
            return server.add_insecure_port(str(listen))
        return server.add_secure_port(str(listen), _credentials(settings.tls_cert, settings.tls_key, settings))
    except OSError as exc:
        raise ListenRefused(f"cannot read the certificate or its key ({exc.filename}): {exc.strerror}") from exc
    except RuntimeError as exc:
        raise ListenRefused(
            f"cannot listen on {listen} (QUOTAD_LISTEN): check the address and the certificate"
        ) from exc


def _credentials(cert: Path, key: Path, settings: DaemonSettings) -> grpc.ServerCredentials:
    """Raises `OSError` with the name of the file that cannot be read."""
    client_ca = settings.tls_client_ca
    return grpc.ssl_server_credentials(
        [(key.read_bytes(), cert.read_bytes())],
        root_certificates=None if client_ca is None else client_ca.read_bytes(),
        require_client_auth=client_ca is not None,
    )


async def _tokens(settings: DaemonSettings, store: Store) -> TokenBook:
    bootstrap = (
        ("bootstrap-data", settings.bootstrap_data_token, TokenRole.DATA),
        ("bootstrap-admin", settings.bootstrap_admin_token, TokenRole.ADMIN),
    )
    for name, secret, role in bootstrap:
        if secret.get_secret_value() and not await store.tokens.put(name, secret.get_secret_value(), role):
            log.warning("a token of the settings has been revoked and stays so: set another one", token=name)
    tokens = TokenBook(store.tokens)
    await tokens.read()
    if tokens.is_empty:
        log.warning("no service token exists: set QUOTAD_BOOTSTRAP_DATA_TOKEN and QUOTAD_BOOTSTRAP_ADMIN_TOKEN")
    return tokens


async def _require_schema(settings: DaemonSettings) -> None:
    engine = create_engine(settings.database_url.get_secret_value(), connections_max=1, application_name="quotad serve")
    try:
        await require_current(engine, MIGRATIONS)
    finally:
        await engine.dispose()


@asynccontextmanager
async def _spans() -> AsyncIterator[Spans | None]:
    """Where spans go; None where no endpoint is set, and then nothing of OpenTelemetry's SDK is imported."""
    if not any(os.environ.get(name) for name in TRACES_VARIABLES):
        yield None
        return
    try:
        from quotad.server.tracing import exporting  # noqa: PLC0415 - its packages are an extra
    except ImportError as exc:
        raise SettingsInvalid(f"{TRACES_VARIABLES[0]} needs the packages of quotad[telemetry]: {exc}") from exc
    async with exporting() as spans:
        yield spans


async def _is_serving(health: Health) -> bool:
    return health.is_serving
