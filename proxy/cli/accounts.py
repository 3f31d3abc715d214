"""`quota-proxy accounts`: the upstream accounts that the workers use. Running workers follow within a second."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from sqlalchemy.ext.asyncio import AsyncConnection

from proxy.cli.account_input import credentials_from_options, read_secrets
from proxy.cli.account_listing import listed_json, listed_table
from proxy.config import ProxySettings, load_proxy_settings
from proxy.records import read, write
from proxy.records.account_key import require_one_key
from proxy.records.accounts import AccountError, AccountState, ApiKeyCredentials, NewAccount
from proxy.records.codex_auth import account_from_codex
from proxy.records.listed import read_listed
from proxy.records.secrets import SecretBox, load_secret_box
from servicekit.database import create_engine
from servicekit.migrations import Migrations, require_current

COMMAND_SECONDS_MAX = 30.0
DEMO_NAME = "demo"

Result = TypeVar("Result")
Name = Annotated[str, typer.Argument(help="name or id of the account", show_default=False)]
Secret = Annotated[str, typer.Option(help="`-` reads it from standard input", show_default=False)]

app = typer.Typer(no_args_is_help=True, help="Upstream accounts.")


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="a name of your choice")],
    *,
    base_url: Annotated[str, typer.Option(help="for example https://api.openai.com/v1")],
    api_key: Secret = "",
    access_token: Secret = "",
    refresh_token: Secret = "",
    id_token: Secret = "",
    token_url: Annotated[str, typer.Option(help="where the refresh token is used")] = "",
    client_id: Annotated[str, typer.Option(help="OAuth client that the tokens belong to")] = "",
    chatgpt_account_id: Annotated[str, typer.Option(help="sent as chatgpt-account-id")] = "",
    usage_url: Annotated[str, typer.Option(help="where the account tells its usage windows")] = "",
) -> None:
    """Add an account with a static key, or with OAuth tokens that are refreshed."""
    key, access, refresh, identity = read_secrets(api_key, access_token, refresh_token, id_token)
    credentials = credentials_from_options(key, access, refresh, identity)
    new = NewAccount(name, base_url, credentials, token_url, client_id, chatgpt_account_id, usage_url)
    _add(new)


@app.command("import")
def import_codex(
    path: Annotated[Path, typer.Argument(help="auth.json of the Codex CLI")] = Path("~/.codex/auth.json"),
    name: Annotated[str, typer.Option(help="default: the account's e-mail address")] = "",
) -> None:
    """Import the account that the Codex CLI is signed in with."""
    new = account_from_codex(_content(path.expanduser()), name)
    _add(new)
    if not isinstance(new.credentials, ApiKeyCredentials):
        typer.echo("Its refresh token works once and is the proxy's now: run `codex login` anew for Codex itself.")


@app.command("list")
def list_all(as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False) -> None:
    """List the accounts, without their secrets."""
    listed = _run(load_proxy_settings(), read_listed)
    now = datetime.now(UTC)
    if as_json:
        typer.echo(json.dumps([listed_json(each, now) for each in listed], indent=2))
    else:
        Console().print(listed_table(listed, now))


@app.command()
def pause(name: Name) -> None:
    """Send nothing more to an account until it is resumed."""
    _move(name, AccountState.PAUSED)
    typer.echo(f"{name} is paused")


@app.command()
def resume(name: Name) -> None:
    """Use an account again, whatever state it is in."""
    _move(name, AccountState.ACTIVE)
    typer.echo(f"{name} is active")


@app.command()
def remove(name: Name) -> None:
    """Remove an account and its secrets; its request logs stay."""

    async def change(connection: AsyncConnection) -> None:
        account = await read.get_account(connection, name)
        await write.remove_account(connection, account.account_id)

    _run(load_proxy_settings(), change)
    typer.echo(f"{name} is removed")


@app.command(hidden=True)
def ensure_demo(base_url: Annotated[str, typer.Option(help="base URL of the demo upstream")]) -> None:
    """Let the demo upstream serve as long as no account is configured."""
    settings = load_proxy_settings()
    demo = NewAccount(DEMO_NAME, base_url, ApiKeyCredentials("demo"), is_demo=True)
    box = _secret_box(settings)
    serves = _run(settings, lambda connection: write.ensure_demo_account(connection, demo, box))
    typer.echo("serving" if serves else "not needed")


def _run(settings: ProxySettings, change: Callable[[AsyncConnection], Awaitable[Result]]) -> Result:
    """Run `change` in one transaction on a schema of this program's version."""

    async def run() -> Result:
        engine = create_engine(settings.database_url, connections_max=1, application_name="quota-proxy accounts")
        try:
            async with asyncio.timeout(COMMAND_SECONDS_MAX):
                await require_current(engine, Migrations("proxy"))
                async with engine.begin() as connection:
                    return await change(connection)
        finally:
            await engine.dispose()

    return asyncio.run(run())


def _add(new: NewAccount) -> None:
    settings = load_proxy_settings()
    box = _secret_box(settings)

    async def change(connection: AsyncConnection) -> None:
        await require_one_key(connection, box)
        await write.add_account(connection, new, box)

    _run(settings, change)
    typer.echo(f"{new.name} is added")


def _move(name: str, state: AccountState) -> None:
    async def change(connection: AsyncConnection) -> None:
        account = await read.get_account(connection, name)
        await write.move_account(connection, account.account_id, state)

    _run(load_proxy_settings(), change)


def _secret_box(settings: ProxySettings) -> SecretBox:
    return load_secret_box(settings.key_file, settings.secret_key.get_secret_value())


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise AccountError(f"cannot read {path}: {exc.strerror}") from exc
