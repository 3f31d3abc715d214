"""Which programs make up the stack, how each is told what it needs, and when it is ready. Pure but for `os.environ`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from quotad.stack.commands import Command
from quotad.stack.datadir import DataDirectory
from quotad.stack.ports import Ports
from quotad.stack.postgres import Cluster
from quotad.stack.processes import Service
from quotad.stack.readiness import every, grpc_probe, http_probe
from quotad.stack.stackjson import BOOTSTRAP_TOKEN_VARIABLE, Secrets
from servicekit.listening import Listen
from servicekit.stackfile import DATA_DIR_VARIABLE, StackFile

PROGRAMS = ("quotad", "quota-proxy", "quota-dashboard")
"""Our console scripts."""
PROXY_STOP_SECONDS = 45.0
"""Longer than a worker gives to running requests and their settlements (30 s and 10 s)."""
STOP_ORDER = ("proxy", "dashboard", "demo-upstream", "quotad", "postgres")
"""Callers before those they call, so that every settlement arrives."""
STOP_SIGNALS = {"postgres": signal.SIGINT}
"""Postgres: its fast stop; every other service stops in order by SIGTERM."""


@dataclass(frozen=True, slots=True)
class Site:
    """Everything that the children are told."""

    directory: DataDirectory
    database_url: str
    secrets: Secrets
    ports: Ports
    metrics: Mapping[str, Listen]
    """Readiness and metrics listeners by the child's name."""

    def content(self) -> StackFile:
        """What `stack.json` and the ready file say."""
        return StackFile(
            database_url=self.database_url,
            quotad=str(self.ports.quotad),
            quotad_data_token=self.secrets.data_token,
            quotad_admin_token=self.secrets.admin_token,
            proxies=[f"http://{listen}" for listen in self.ports.proxies],
            dashboard=f"http://{self.ports.dashboard}",
            demo_api_key=self.secrets.demo_api_key,
            metrics={name: f"http://{listen}" for name, listen in self.metrics.items()},
            postgres_password=self.secrets.postgres_password,
        )


def assign_metrics(ports: Ports, free: list[Listen]) -> dict[str, Listen]:
    """The metrics listeners by child; `free` has one for each proxy and one for the dashboard."""
    names = [*(proxy_name(number) for number in range(len(ports.proxies))), "dashboard"]
    return {"quotad": ports.quotad_metrics, **dict(zip(names, free, strict=True))}


def proxy_name(number: int) -> str:
    return f"proxy-{number + 1}"


def postgres_service(cluster: Cluster) -> Service:
    async def is_ready() -> bool:
        return cluster.is_ready()

    return Service(
        "postgres",
        cluster.command(),
        is_ready,
        stop_signal=STOP_SIGNALS["postgres"],
        stop_seconds=30.0,
        kill_signal=signal.SIGQUIT,
    )


def migrate_command(site: Site) -> Command:
    return _run((sys.executable, "-m", "quotad.stack.migrating"), site, _quotad(site))


def ensure_demo_command(site: Site) -> Command:
    base_url = f"http://{site.ports.demo_upstream}/v1"
    return _command(site, _proxy(site, 0), "quota-proxy", "accounts", "ensure-demo", "--base-url", base_url)


def quotad_service(site: Site) -> Service:
    return Service(
        "quotad", _command(site, _quotad(site), "quotad", "serve"), grpc_probe(site.ports.quotad), stop_seconds=20.0
    )


def proxy_services(site: Site) -> list[Service]:
    return [
        Service(
            proxy_name(number),
            _command(site, _proxy(site, number), "quota-proxy", "serve"),
            every(http_probe(listen, "/healthz"), http_probe(site.metrics[proxy_name(number)], "/readyz")),
            stop_seconds=PROXY_STOP_SECONDS,
        )
        for number, listen in enumerate(site.ports.proxies)
    ]


def dashboard_service(site: Site) -> Service:
    listen = site.ports.dashboard
    probe = every(http_probe(listen, "/healthz"), http_probe(site.metrics["dashboard"], "/readyz"))
    return Service("dashboard", _command(site, _dashboard(site), "quota-dashboard", "serve"), probe)


def demo_service(site: Site) -> Service:
    listen = site.ports.demo_upstream
    command = _command(site, {}, "quota-proxy", "demo-upstream", "--listen", str(listen))
    return Service("demo-upstream", command, http_probe(listen, "/demo/book"))


def _quotad(site: Site) -> dict[str, str]:
    return {
        "QUOTAD_LISTEN": str(site.ports.quotad),
        "QUOTAD_METRICS_LISTEN": str(site.ports.quotad_metrics),
        "QUOTAD_DATABASE_URL": site.database_url,
        "QUOTAD_BOOTSTRAP_DATA_TOKEN": site.secrets.data_token,
        "QUOTAD_BOOTSTRAP_ADMIN_TOKEN": site.secrets.admin_token,
    }


def _proxy(site: Site, number: int) -> dict[str, str]:
    return {
        "PROXY_LISTEN": str(site.ports.proxies[number]),
        "PROXY_METRICS_LISTEN": str(site.metrics[proxy_name(number)]),
        "PROXY_DATABASE_URL": site.database_url,
        "PROXY_QUOTAD_ADDRESS": str(site.ports.quotad),
        "PROXY_QUOTAD_TOKEN": site.secrets.data_token,
        "PROXY_KEY_FILE": str(site.directory.key_file),
        "PROXY_OUTBOX_DIR": str(site.directory.outbox),
    }


def _dashboard(site: Site) -> dict[str, str]:
    return {
        "DASHBOARD_LISTEN": str(site.ports.dashboard),
        "DASHBOARD_METRICS_LISTEN": str(site.metrics["dashboard"]),
        "DASHBOARD_DATABASE_URL": site.database_url,
        "DASHBOARD_QUOTAD_ADDRESS": str(site.ports.quotad),
        "DASHBOARD_QUOTAD_TOKEN": site.secrets.admin_token,
        "DASHBOARD_KEY_FILE": str(site.directory.dashboard_key_file),
        # Given rather than made by the dashboard, whose output is kept in a log file.
        BOOTSTRAP_TOKEN_VARIABLE: site.secrets.bootstrap_token,
        "DASHBOARD_PROXY_KEY_FILE": str(site.directory.key_file),
        "DASHBOARD_PROXY_URL": f"http://{site.ports.proxies[0]}",
    }


def _command(site: Site, environment: Mapping[str, str], program: str, *arguments: str) -> Command:
    """One of our console scripts, which lie beside the interpreter that runs us."""
    return _run((str(Path(sys.executable).with_name(program)), *arguments), site, environment)


def _run(argv: tuple[str, ...], site: Site, environment: Mapping[str, str]) -> Command:
    env = {**os.environ, **environment, DATA_DIR_VARIABLE: str(site.directory.path), "PYTHONUNBUFFERED": "1"}
    return Command(argv, env, cwd=Path.cwd())
