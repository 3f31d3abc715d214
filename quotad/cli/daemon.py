"""`quotad serve`, `quotad migrate`, `quotad audit`."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import Coroutine
from typing import Annotated, Any

import structlog
import typer
import uvloop

from quotad.cli.output import print_json
from quotad.cli.records import rfc3339
from quotad.errors import StoreUnavailable
from quotad.server.daemon import MIGRATIONS
from quotad.server.daemon import serve as serve_until_stopped
from quotad.server.metrics import WORKER_VARIABLE
from quotad.server.settings import DaemonSettings, load_daemon_settings
from quotad.server.worker import work
from quotad.server.workers import serve_workers
from quotad.store.audit import Difference, differences
from servicekit import migrations
from servicekit.commands import (
    CommandFailed,
    InsecureFlag,
    ListenFlag,
    MetricsListenFlag,
    TlsCertFlag,
    TlsKeyFlag,
)
from servicekit.database import DatabaseUnusable, first_line
from servicekit.logs import configure_logs


def serve(
    listen: ListenFlag = None,
    metrics_listen: MetricsListenFlag = None,
    tls_cert: TlsCertFlag = None,
    tls_key: TlsKeyFlag = None,
    insecure: InsecureFlag = None,
    workers: Annotated[int | None, typer.Option(help="processes on the one port")] = None,
) -> None:
    """Run the daemon until SIGTERM or SIGINT; a second signal ends it at once. Settings are QUOTAD_*; flags win."""
    settings = load_daemon_settings(
        listen=listen,
        metrics_listen=metrics_listen,
        tls_cert=tls_cert,
        tls_key=tls_key,
        insecure=insecure,
        workers=workers,
    )
    configure_logs("quotad", settings.log_level)
    if settings.workers > 1:
        raise typer.Exit(asyncio.run(serve_workers(settings)))
    _run(serve_until_stopped(settings))


def worker() -> None:
    """One of the processes of `quotad serve --workers N`, which starts it; nobody else does."""
    settings = load_daemon_settings()
    configure_logs("quotad", settings.log_level)
    structlog.contextvars.bind_contextvars(worker=os.environ.get(WORKER_VARIABLE))
    _run(work(settings))


def _run(serving: Coroutine[Any, Any, None]) -> None:
    try:
        uvloop.run(serving)
    except StoreUnavailable as exc:
        raise _unusable(exc) from exc


def migrate() -> None:
    """Bring the schema `quotad` of QUOTAD_DATABASE_URL to this program's version. Safe to repeat."""
    version = asyncio.run(migrations.migrate(_database_url(load_daemon_settings()), MIGRATIONS))
    typer.echo(f"the schema quotad is at version {version}")


def audit(as_json: Annotated[bool, typer.Option("--json", help="Print the differences as JSON.")] = False) -> None:
    """Check the whole ledger for conservation: exits 1 when a window does not add up."""
    try:
        found = asyncio.run(differences(_database_url(load_daemon_settings())))
    except StoreUnavailable as exc:
        raise _unusable(exc) from exc
    if as_json:
        print_json([_record(difference) for difference in found])
    for difference in [] if as_json else found:
        typer.echo(_line(difference))
    if found:
        raise CommandFailed(f"{len(found)} windows do not add up")
    if not as_json:
        typer.echo("every window adds up")


def _unusable(error: StoreUnavailable) -> DatabaseUnusable:
    cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
    return DatabaseUnusable(f"the database cannot be used: {first_line(cause)}")


def _database_url(settings: DaemonSettings) -> str:
    return settings.database_url.get_secret_value()


def _record(difference: Difference) -> dict[str, object]:
    return {**dataclasses.asdict(difference), "window_start": rfc3339(difference.window_start)}


def _line(difference: Difference) -> str:
    return (
        f"tenant {difference.tenant_id}, limit {difference.limit_id}, window {rfc3339(difference.window_start)}: "
        f"held {difference.held}, by reservations {difference.held_by_reservations}; "
        f"used {difference.used}, charged {difference.charged_to_reservations}"
    )
