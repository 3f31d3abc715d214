from __future__ import annotations

import asyncpg
import pytest
import typer
from sqlalchemy.exc import DBAPIError

from servicekit.commands import CommandFailed, CommandNotBegun, run_commands
from servicekit.database import DatabaseUnusable
from servicekit.listening import ListenRefused
from servicekit.migrations import SchemaUnknown
from servicekit.settings import SettingsInvalid
from tests.support.commands import Ended, InProcess


class KeyUnusable(Exception):
    """What one service cannot begin with."""


class NameTaken(Exception):
    """What one service refuses."""


def ended_by(raised: BaseException, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Ended:
    app = typer.Typer()

    @app.command()
    def work() -> None:
        raise raised

    def main() -> None:
        run_commands(
            app, "kitchen", database_setting="KITCHEN_DATABASE_URL", cannot_begin=(KeyUnusable,), refused=(NameTaken,)
        )

    return InProcess("kitchen", main, monkeypatch, capfd)()


@pytest.mark.parametrize(
    ("raised", "code", "line"),
    [
        (CommandFailed("it is\n too late"), 1, "kitchen: it is too late\n"),
        (NameTaken("taken"), 1, "kitchen: taken\n"),
        (CommandNotBegun("write a time"), 2, "kitchen: write a time\n"),
        (SettingsInvalid("KITCHEN_OVENS: none"), 2, "kitchen: KITCHEN_OVENS: none\n"),
        (ListenRefused("in use"), 2, "kitchen: in use\n"),
        (SchemaUnknown("at version 9"), 2, "kitchen: at version 9\n"),
        (KeyUnusable("no key"), 2, "kitchen: no key\n"),
        (DatabaseUnusable("away"), 2, "kitchen: KITCHEN_DATABASE_URL: away\n"),
        (
            asyncpg.InsufficientPrivilegeError("permission denied\nDETAIL: more"),
            2,
            "kitchen: KITCHEN_DATABASE_URL: the database cannot be used: permission denied\n",
        ),
        (
            DBAPIError("SELECT secret", {"secret": "hidden"}, Exception("no such column")),
            2,
            "kitchen: KITCHEN_DATABASE_URL: the database cannot be used: no such column\n",
        ),
        (
            TimeoutError(),
            2,
            "kitchen: KITCHEN_DATABASE_URL: the database cannot be used: TimeoutError\n",
        ),
        (PermissionError(13, "Permission denied", "key"), 2, "kitchen: [Errno 13] Permission denied: 'key'\n"),
        (KeyboardInterrupt(), 130, ""),
        (typer.Exit(3), 3, ""),
    ],
)
def test_what_ends_a_command_is_one_line_and_an_exit_code(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], raised: BaseException, code: int, line: str
) -> None:
    ended = ended_by(raised, monkeypatch, capfd)
    assert (ended.code, ended.stdout, ended.stderr) == (code, "", line)


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError):
        ended_by(ZeroDivisionError(), monkeypatch, capfd)
