from __future__ import annotations

from functools import partial

import structlog
import typer
import uvloop

from dashboard.app import create_app, is_ready, open_services
from dashboard.auth.store import password_is_set
from dashboard.config import DashboardSettings, load_dashboard_settings
from dashboard.services import Services
from servicekit.commands import InsecureFlag, ListenFlag, MetricsListenFlag, TlsCertFlag, TlsKeyFlag
from servicekit.logs import configure_logs
from servicekit.serving import address_of, metrics_beside, safe_listener, service_server, serving

BOOTSTRAP_LINE = "dashboard bootstrap token: "

log = structlog.get_logger(__name__)


def serve(
    listen: ListenFlag = None,
    metrics_listen: MetricsListenFlag = None,
    tls_cert: TlsCertFlag = None,
    tls_key: TlsKeyFlag = None,
    insecure: InsecureFlag = None,
) -> None:
    """Run the operator's service until SIGTERM or SIGINT; a second signal ends it at once."""
    settings = load_dashboard_settings(
        listen=listen, metrics_listen=metrics_listen, tls_cert=tls_cert, tls_key=tls_key, insecure=insecure
    )
    configure_logs("dashboard", settings.log_level)
    uvloop.run(_serve(settings))


async def _serve(settings: DashboardSettings) -> None:
    listener = safe_listener(settings)
    async with open_services(settings) as services:
        metrics = metrics_beside(settings, partial(is_ready, services))
        server = service_server(create_app(services), settings, stop_seconds=round(settings.stop_seconds))
        await _announce_bootstrap(services)
        async with serving((server, listener), metrics) as stopped:
            log.info("dashboard started", listen=address_of(listener), metrics_listen=address_of(metrics[1]))
            await stopped.wait()
            log.info("dashboard stopping")
            await services.live.close()  # its streams would otherwise be waited for
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
