"""`quota-proxy`: the worker, its migrations, its accounts, and a demo upstream."""

from __future__ import annotations

import typer

from proxy.cli.accounts import app as accounts
from proxy.cli.demo_upstream import demo_upstream
from proxy.cli.migrate import migrate
from proxy.cli.serve import serve

main = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
main.command()(serve)
main.command()(migrate)
main.command("demo-upstream")(demo_upstream)
main.add_typer(accounts, name="accounts")
