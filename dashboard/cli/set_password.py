from __future__ import annotations

import asyncio
import sys

import typer

from dashboard.app import open_services
from dashboard.auth.attempts import forget_attempts
from dashboard.auth.passwords import check_new_password
from dashboard.auth.sessions import end_all_sessions
from dashboard.auth.store import put_password
from dashboard.config import DashboardSettings, load_dashboard_settings


def set_password() -> None:
    """Set the operator's password, whatever it was, end all sessions and forget failed attempts.

    Asks for it on a terminal, else reads one line from standard input.
    """
    settings = load_dashboard_settings()
    password = _read_password()
    check_new_password(password)
    asyncio.run(_set_password(settings, password))
    typer.echo("the password is set; all sessions have ended")


def _read_password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("New password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")


async def _set_password(settings: DashboardSettings, password: str) -> None:
    async with open_services(settings) as services:
        password_hash = await services.passwords.hash(password)
        async with services.database.transaction() as connection:
            await put_password(connection, password_hash)
            await end_all_sessions(connection)
            await forget_attempts(connection)
