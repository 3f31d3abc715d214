"""What the `serve` commands have in common: a safe listener, its TLS, the metrics beside it, and how it ends."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from prometheus_client import REGISTRY, CollectorRegistry
from starlette.types import ASGIApp

from servicekit.listening import Listen, bind, require_safe
from servicekit.settings import HttpServiceSettings, ServiceSettings, SettingsInvalid
from servicekit.web import QuietServer, Tls, http_server, metrics_server

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

Bound = tuple[QuietServer, socket.socket]
"""A server and the bound socket that it is to serve."""


def stop_event() -> asyncio.Event:
    """An event that the first SIGTERM or SIGINT sets; a second one then has its usual effect."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        stopped.set()
        for number in STOP_SIGNALS:
            loop.remove_signal_handler(number)

    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop)
    return stopped


def require_safe_listener(settings: ServiceSettings, *, has_tls: bool) -> None:
    """Raise `ListenRefused` where the service would listen beyond loopback in the clear."""
    listen = Listen.parse(settings.listen)
    require_safe(listen, setting=_name(settings, "listen"), has_tls=has_tls, insecure=settings.insecure)


def safe_listener(settings: HttpServiceSettings) -> socket.socket:
    """The bound socket of the service; raises `ListenRefused` where it would be unsafe or cannot be had."""
    require_safe_listener(settings, has_tls=settings.has_tls)
    return bind(Listen.parse(settings.listen), setting=_name(settings, "listen"))


def service_server(app: ASGIApp, settings: HttpServiceSettings, *, stop_seconds: int) -> QuietServer:
    """A server for the service's app; raises `SettingsInvalid` where its certificate cannot be read."""
    tls = Tls(settings.tls_cert, settings.tls_key) if settings.tls_cert and settings.tls_key else None
    server = http_server(app, stop_seconds=stop_seconds, tls=tls, trusted_proxies=settings.trusted_proxies)
    try:
        server.config.load()  # reads the certificate now rather than when the first caller comes
    except OSError as exc:
        raise SettingsInvalid(f"{_name(settings, 'tls_cert')}, {_name(settings, 'tls_key')}: {exc}") from exc
    return server


def metrics_beside(
    settings: ServiceSettings,
    is_ready: Callable[[], Awaitable[bool]],
    registry: CollectorRegistry = REGISTRY,
    notes: Callable[[], Sequence[str]] = tuple,
) -> Bound:
    """The service's second listener, for readiness and metrics; raises `ListenRefused`."""
    return metrics_server(
        Listen.parse(settings.metrics_listen),
        setting=_name(settings, "metrics_listen"),
        is_ready=is_ready,
        token=settings.metrics_token.get_secret_value(),
        registry=registry,
        notes=notes,
    )


@asynccontextmanager
async def serving_metrics(metrics: Bound) -> AsyncIterator[str]:
    """Serve them for the length of the block; yields their `host:port`."""
    server, listener = metrics
    answering = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield address_of(listener)
    finally:
        server.should_exit = True
        await answering


@asynccontextmanager
async def serving(main: Bound, metrics: Bound) -> AsyncIterator[asyncio.Event]:
    """Serve both for the length of the block, which is to wait for the event that a stop signal sets.

    The metrics can be read until the main server has given its last answer.
    """
    (server, listener), (metrics_http, metrics_listener) = main, metrics
    stopped = stop_event()
    listener.listen()  # from here on callers wait instead of being refused
    async with asyncio.TaskGroup() as servers:
        answering = servers.create_task(server.serve(sockets=[listener]))
        servers.create_task(metrics_http.serve(sockets=[metrics_listener]))
        yield stopped
        server.should_exit = True
        await answering
        metrics_http.should_exit = True


def address_of(listener: socket.socket) -> str:
    """`host:port` as it was bound, with the port that port 0 became."""
    host, port = listener.getsockname()[:2]
    return str(Listen(host, port))


def _name(settings: ServiceSettings, field: str) -> str:
    return f"{settings.model_config.get('env_prefix', '')}{field}".upper()
