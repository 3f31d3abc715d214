from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import Annotated

import structlog
import typer
import uvloop

from proxy.cli.failures import one_line_failures
from proxy.config import ProxySettings, load_proxy_settings
from proxy.http.app import Worker, create_app, open_worker
from servicekit.listening import Listen
from servicekit.logs import configure_logs
from servicekit.serving import address_of, load_tls, safe_listener, stop_event, tls_of
from servicekit.web import QuietServer, http_server, metrics_server

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
    listener = safe_listener(settings, has_tls=settings.has_tls)
    async with open_worker(settings) as worker:
        metrics, metrics_listener = metrics_server(
            Listen.parse(settings.metrics_listen),
            setting="PROXY_METRICS_LISTEN",
            is_ready=worker.is_ready,
            token=settings.metrics_token.get_secret_value(),
        )
        server = _server(settings, worker)
        stopped = stop_event()
        listener.listen()  # from here on callers wait instead of being refused
        async with asyncio.TaskGroup() as servers:
            serving = servers.create_task(server.serve(sockets=[listener]))
            servers.create_task(metrics.serve(sockets=[metrics_listener]))
            log.info("proxy started", listen=address_of(listener), metrics_listen=address_of(metrics_listener))
            await stopped.wait()
            log.info("proxy stopping")
            server.should_exit = True
            await serving
            metrics.should_exit = True
    log.info("proxy stopped")


def _server(settings: ProxySettings, worker: Worker) -> QuietServer:
    server = http_server(
        create_app(worker.services),
        stop_seconds=math.ceil(settings.answer_stop_seconds),
        tls=tls_of(settings),
        trusted_proxies=settings.trusted_proxies,
    )
    load_tls(server, settings)
    return server
