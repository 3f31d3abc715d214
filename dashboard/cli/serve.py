from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Annotated

import structlog
import typer
import uvloop

from dashboard.app import create_app, is_ready, open_services
from dashboard.auth.store import password_is_set
from dashboard.cli.failures import one_line_failures
from dashboard.config import DashboardSettings, load_dashboard_settings
from dashboard.services import Services
from servicekit.listening import Listen
from servicekit.logs import configure_logs
from servicekit.serving import address_of, load_tls, safe_listener, stop_event, tls_of
from servicekit.web import QuietServer, http_server, metrics_server

BOOTSTRAP_LINE = "dashboard bootstrap token: "

log = structlog.get_logger(__name__)


def serve(
    listen: Annotated[str | None, typer.Option(help="host:port to listen on")] = None,
    metrics_listen: Annotated[str | None, typer.Option(help="host:port for readiness and metrics")] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="certificate file")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="key file of the certificate")] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="listen beyond loopback without TLS")] = False,
) -> None:
    """Run the operator's service until SIGTERM or SIGINT; a second signal ends it at once."""
    with one_line_failures():
        settings = load_dashboard_settings(
            listen=listen,
            metrics_listen=metrics_listen,
            tls_cert=tls_cert,
            tls_key=tls_key,
            insecure=insecure or None,
        )
        configure_logs("dashboard", settings.log_level)
        uvloop.run(_serve(settings))


async def _serve(settings: DashboardSettings) -> None:
    listener = safe_listener(settings, has_tls=settings.has_tls)
    async with open_services(settings) as services:
        metrics, metrics_listener = metrics_server(
            Listen.parse(settings.metrics_listen),
            setting="DASHBOARD_METRICS_LISTEN",
            is_ready=partial(is_ready, services),
            token=settings.metrics_token.get_secret_value(),
        )
        server = _server(settings, services)
        await _announce_bootstrap(services)
        stopped = stop_event()
        async with asyncio.TaskGroup() as servers:
            serving = servers.create_task(server.serve(sockets=[listener]))
            servers.create_task(metrics.serve(sockets=[metrics_listener]))
            log.info("dashboard started", listen=address_of(listener), metrics_listen=address_of(metrics_listener))
            await stopped.wait()
            server.should_exit = True
            await serving
            metrics.should_exit = True
    log.info("dashboard stopped")


async def _announce_bootstrap(services: Services) -> None:
    """Say once, on standard output and never in the log, which token signs in while there is no password."""
    async with services.database.transaction() as connection:
        if await password_is_set(connection):
            return
    if services.bootstrap.is_given:
        typer.echo("dashboard first sign-in: use the token of DASHBOARD_BOOTSTRAP_TOKEN")
    else:
        typer.echo(f"{BOOTSTRAP_LINE}{services.bootstrap.value}")


def _server(settings: DashboardSettings, services: Services) -> QuietServer:
    server = http_server(
        create_app(services),
        stop_seconds=round(settings.stop_seconds),
        tls=tls_of(settings),
        trusted_proxies=settings.trusted_proxies,
    )
    load_tls(server, settings)
    return server
