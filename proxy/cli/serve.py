from __future__ import annotations

import math

import structlog
import uvloop

from proxy.config import ProxySettings, load_proxy_settings
from proxy.http.app import create_app, open_worker
from servicekit.commands import InsecureFlag, ListenFlag, MetricsListenFlag, TlsCertFlag, TlsKeyFlag
from servicekit.logs import configure_logs
from servicekit.serving import address_of, metrics_beside, safe_listener, service_server, serving

log = structlog.get_logger(__name__)


def serve(
    listen: ListenFlag = None,
    metrics_listen: MetricsListenFlag = None,
    tls_cert: TlsCertFlag = None,
    tls_key: TlsKeyFlag = None,
    insecure: InsecureFlag = None,
) -> None:
    """Run one proxy worker until SIGTERM or SIGINT; a second signal ends it at once."""
    settings = load_proxy_settings(
        listen=listen, metrics_listen=metrics_listen, tls_cert=tls_cert, tls_key=tls_key, insecure=insecure
    )
    configure_logs("proxy", settings.log_level)
    uvloop.run(_serve(settings))


async def _serve(settings: ProxySettings) -> None:
    """Open everything, then listen; at the end the other way round, so that every settlement arrives."""
    listener = safe_listener(settings)
    async with open_worker(settings) as worker:
        metrics = metrics_beside(settings, worker.is_ready, notes=lambda: worker.runner.notes)
        app = create_app(worker.services)
        server = service_server(app, settings, stop_seconds=math.ceil(settings.answer_stop_seconds))
        async with serving((server, listener), metrics) as stopped:
            log.info("proxy started", listen=address_of(listener), metrics_listen=address_of(metrics[1]))
            await stopped.wait()
            log.info("proxy stopping")
    log.info("proxy stopped")
