"""`quota-proxy`: the worker, its migrations, its accounts, and a demo upstream."""

from __future__ import annotations

from typing import NoReturn

import typer

from proxy.cli.accounts import app as accounts
from proxy.cli.demo_upstream import demo_upstream
from proxy.cli.migrate import migrate
from proxy.cli.serve import serve
from proxy.records.accounts import AccountError
from proxy.records.secrets import SecretKeyUnusable
from servicekit.commands import run_commands

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
app.command()(serve)
app.command()(migrate)
app.command("demo-upstream")(demo_upstream)
app.add_typer(accounts, name="accounts")


def main() -> NoReturn:
    run_commands(
        app,
        "quota-proxy",
        database_setting="PROXY_DATABASE_URL",
        cannot_begin=(SecretKeyUnusable,),
        refused=(AccountError,),
    )
