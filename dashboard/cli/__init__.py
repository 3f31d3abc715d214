"""`quota-dashboard`: the operator's service, its migrations, and the operator's password."""

from __future__ import annotations

from typing import NoReturn

import typer

from dashboard.cli.migrate import migrate
from dashboard.cli.serve import serve
from dashboard.cli.set_password import set_password
from dashboard.errors import DatabaseUnavailable, PasswordTooLong, PasswordTooShort
from servicekit.commands import run_commands
from servicekit.sealing import SecretKeyUnusable

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
app.command()(serve)
app.command()(migrate)
app.command("set-password")(set_password)

CANNOT_BEGIN = (DatabaseUnavailable, PasswordTooShort, PasswordTooLong, SecretKeyUnusable)


def main() -> NoReturn:
    run_commands(app, "quota-dashboard", database_setting="DASHBOARD_DATABASE_URL", cannot_begin=CANNOT_BEGIN)
