"""`quota-dashboard`: the operator's service, its migrations, and the operator's password."""

from __future__ import annotations

import typer

from dashboard.cli.migrate import migrate
from dashboard.cli.serve import serve
from dashboard.cli.set_password import set_password

main = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
main.command()(serve)
main.command()(migrate)
main.command("set-password")(set_password)
