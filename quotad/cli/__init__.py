"""The command `quotad`: the daemon, its migrations and check, what operators edit, and the stack on one machine."""

from __future__ import annotations

from typing import NoReturn

import typer

from quotad.cli import daemon, groups, keys, reports, reservations, tokens
from quotad.cli.doctor import doctor
from quotad.cli.up import up
from quotad.client.types import OutcomeUnknown
from quotad.errors import QuotaError
from servicekit.commands import run_commands

app = typer.Typer(help="Quota that never overruns, never leaks and charges exactly once.", no_args_is_help=True)
app.command()(up)
app.command()(daemon.serve)
app.command(hidden=True)(daemon.worker)
app.command()(daemon.migrate)
app.command()(daemon.audit)
app.command()(reports.usage)
app.command()(reports.refusals)
app.command()(doctor)
app.add_typer(keys.app, name="keys")
app.add_typer(groups.app, name="groups")
app.add_typer(tokens.app, name="tokens")
app.command()(tokens.audit_log)
app.add_typer(reservations.app, name="reservations")


def main() -> NoReturn:
    run_commands(app, "quotad", database_setting="QUOTAD_DATABASE_URL", refused=(QuotaError, OutcomeUnknown))
