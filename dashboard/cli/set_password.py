from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer
from argon2 import PasswordHasher

from dashboard.app import open_database
from dashboard.audit import Change, note, os_user
from dashboard.auth.attempts import forget_attempts
from dashboard.auth.factors import delete_totp
from dashboard.auth.passwords import Passwords, check_new_password
from dashboard.auth.sessions import end_all_sessions
from dashboard.auth.store import put_password
from dashboard.config import DashboardSettings, load_dashboard_settings

TurnOffTotp = Annotated[
    bool,
    typer.Option("--turn-off-totp", help="also turn one-time passwords off, for who lost phone and codes"),
]


def set_password(turn_off_totp: TurnOffTotp = False) -> None:
    """Set the operator's password, whatever it was, end all sessions and forget failed attempts.

    Asks for it on a terminal, else reads one line from standard input. One-time passwords stay on unless
    --turn-off-totp is given. What was done, and by which user of this machine, stands in the dashboard's audit log.
    """
    settings = load_dashboard_settings()
    password = _read_password()
    check_new_password(password)
    was_on = asyncio.run(_set_password(settings, password, turn_off_totp=turn_off_totp))
    typer.echo("the password is set; all sessions have ended")
    if turn_off_totp:
        typer.echo("one-time passwords are turned off" if was_on else "one-time passwords were not set up")


def _read_password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("New password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")


async def _set_password(settings: DashboardSettings, password: str, *, turn_off_totp: bool) -> bool:
    """Whether one-time passwords were on and are turned off."""
    async with open_database(settings) as database:
        password_hash = await Passwords(PasswordHasher(), hashes_max=1).hash(password)
        async with database.transaction() as connection:
            await put_password(connection, password_hash)
            await end_all_sessions(connection)
            await forget_attempts(connection)
            await note(connection, os_user(), Change("update", "password", after={"all_sessions_ended": True}))
            was_on = turn_off_totp and await delete_totp(connection)
            if was_on:
                await note(connection, os_user(), Change("delete", "totp"))
            return was_on
