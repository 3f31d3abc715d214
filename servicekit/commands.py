"""Running a command line so that what goes wrong is one line on standard error, never a traceback."""

from __future__ import annotations

import sys
from typing import NoReturn

import typer
from typer.exceptions import Abort, TyperException

FAILED = 1
WRONG_USAGE = 2
INTERRUPTED = 130


class CommandFailed(Exception):
    """One line for the operator: what is wrong and what to do. Never carries a secret."""


def run_commands(app: typer.Typer, name: str, refusals: tuple[type[Exception], ...] = ()) -> NoReturn:
    """Run what the command line says and exit: 1 for a `CommandFailed` or one of `refusals`, 2 for a wrong usage.

    Any other exception is a bug and keeps its traceback.
    """
    told: tuple[type[Exception], ...] = (CommandFailed, *refusals)
    try:
        code = typer.main.get_command(app)(prog_name=name, standalone_mode=False)
    except TyperException as exc:
        _fail(name, exc.format_message(), exc.exit_code)
    except (Abort, KeyboardInterrupt):
        sys.exit(INTERRUPTED)
    except told as exc:
        _fail(name, " ".join(str(exc).split()), FAILED)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(name: str, message: str, code: int) -> NoReturn:
    if message:  # a group without a command has printed its help instead
        sys.stderr.write(f"{name}: {message}\n")
    sys.exit(code)
