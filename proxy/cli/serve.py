from __future__ import annotations

import asyncio
import math
import signal
import socket
from pathlib import Path
from typing import Annotated

import structlog
import typer
import uvloop

from proxy.cli.failures import one_line_failures
from proxy.config import ProxySettings, load_proxy_settings
from proxy.http.app import Worker, create_app, open_worker
from servicekit.listening import Listen, bind, require_safe
from servicekit.logs import configure_logs
from servicekit.settings import SettingsInvalid
from servicekit.web import QuietServer, Tls, http_server, metrics_server

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

log = structlog.get_logger(__name__)


def serve(
    listen: Annotated[str | None, typer.Option(help="host:port to listen on")] = None,
    metrics_listen: Annotated[str | None, typer.Option(help="host:port for readiness and metrics")] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="certificate file")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="key file of the certificate")] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="listen beyond loopback without TLS")] = False,
) -> None:
    """Run one proxy worker until SIGTERM or SIGINT; a second signal ends it at once."""
    with one_line_failures():
        settings = load_proxy_settings(
            listen=listen,
            metrics_listen=metrics_listen,
            tls_cert=tls_cert,
            tls_key=tls_key,
            insecure=insecure or None,
        )
        configure_logs("proxy", settings.log_level)
        uvloop.run(_serve(settings))


async def _serve(settings: ProxySettings) -> None:
    """Open everything, then listen; at the end the other way round, so that every settlement arrives."""
    listener = _listener(settings)
    async with open_worker(settings) as worker:
        metrics, metrics_listener = metrics_server(
            Listen.parse(settings.metrics_listen),
            setting="PROXY_METRICS_LISTEN",
            is_ready=worker.is_ready,
            token=settings.metrics_token.get_secret_value(),
        )
        server = _server(settings, worker)
        stopped = _stop_event()
        listener.listen()  # from here on callers wait instead of being refused
        async with asyncio.TaskGroup() as servers:
            serving = servers.create_task(server.serve(sockets=[listener]))
            servers.create_task(metrics.serve(sockets=[metrics_listener]))
            log.info("proxy started", listen=_address(listener), metrics_listen=_address(metrics_listener))
            await stopped.wait()
            log.info("proxy stopping")
            server.should_exit = True
            await serving
            metrics.should_exit = True
    log.info("proxy stopped")


def _listener(settings: ProxySettings) -> socket.socket:
    listen = Listen.parse(settings.listen)
    has_tls = settings.tls_cert is not None
    require_safe(listen, setting="PROXY_LISTEN", has_tls=has_tls, insecure=settings.insecure)
    return bind(listen, setting="PROXY_LISTEN")


def _server(settings: ProxySettings, worker: Worker) -> QuietServer:
    tls = Tls(settings.tls_cert, settings.tls_key) if settings.tls_cert and settings.tls_key else None
    server = http_server(
        create_app(worker.services),
        stop_seconds=math.ceil(settings.answer_stop_seconds),
        tls=tls,
        trusted_proxies=settings.trusted_proxies,
    )
    try:
        server.config.load()
    except OSError as exc:
        raise SettingsInvalid(f"PROXY_TLS_CERT, PROXY_TLS_KEY: {exc}") from exc
    return server


def _stop_event() -> asyncio.Event:
    """Set by the first SIGTERM or SIGINT; a second one then has its usual effect."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        stopped.set()
        for number in STOP_SIGNALS:
            loop.remove_signal_handler(number)

    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop)
    return stopped


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return str(Listen(host, port))
