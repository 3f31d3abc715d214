"""Running a command line so that what goes wrong is one line on standard error, never a traceback."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, ClassVar, NoReturn

import asyncpg
import typer
from sqlalchemy.exc import SQLAlchemyError
from typer.exceptions import Abort, TyperException

from servicekit.database import DatabaseUnusable, first_line
from servicekit.listening import ListenRefused
from servicekit.migrations import SchemaUnknown
from servicekit.settings import SettingsInvalid

REFUSED = 1
NOT_BEGUN = 2
INTERRUPTED = 130

Refusals = tuple[type[Exception], ...]

ListenFlag = Annotated[str | None, typer.Option(help="host:port to listen on")]
MetricsListenFlag = Annotated[str | None, typer.Option(help="host:port for readiness and metrics")]
TlsCertFlag = Annotated[Path | None, typer.Option(help="certificate file, PEM")]
TlsKeyFlag = Annotated[Path | None, typer.Option(help="key file of the certificate, PEM")]
InsecureFlag = Annotated[bool | None, typer.Option("--insecure", help="listen beyond loopback without TLS")]


class CommandFailed(Exception):
    """One line for the operator: what is wrong and what to do. Never carries a secret."""

    exit_code: ClassVar[int] = REFUSED


class CommandNotBegun(CommandFailed):
    """The command line or a setting is wrong, so nothing was tried."""

    exit_code = NOT_BEGUN


CANNOT_BEGIN: Refusals = (SettingsInvalid, ListenRefused, SchemaUnknown)
DATABASE_FAILED: Refusals = (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError)


def run_commands(
    app: typer.Typer, name: str, *, database_setting: str, cannot_begin: Refusals = (), refused: Refusals = ()
) -> NoReturn:
    """Run what the command line says and exit; what goes wrong is the one line `<name>: <message>`.

    2 where the command could not begin: a wrong usage or setting, a listener, an unknown schema, an unusable database,
    a file, one of `cannot_begin`; 1 where it began and was refused: `CommandFailed`, one of `refused`; 130 where it
    was interrupted. Any other exception is a bug and keeps its traceback.
    """
    try:
        code = typer.main.get_command(app)(prog_name=name, standalone_mode=False)
    except TyperException as exc:
        _fail(name, exc.format_message(), exc.exit_code)
    except (Abort, KeyboardInterrupt):
        sys.exit(INTERRUPTED)
    except CommandFailed as exc:
        _fail(name, str(exc), exc.exit_code)
    except refused as exc:
        _fail(name, str(exc), REFUSED)
    except (*CANNOT_BEGIN, *cannot_begin) as exc:
        _fail(name, str(exc), NOT_BEGUN)
    except DatabaseUnusable as exc:
        _fail(name, f"{database_setting}: {exc}", NOT_BEGUN)
    except DATABASE_FAILED as exc:
        _fail(name, f"{database_setting}: the database cannot be used: {first_line(exc)}", NOT_BEGUN)
    except OSError as exc:
        _fail(name, first_line(exc), NOT_BEGUN)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(name: str, message: str, code: int) -> NoReturn:
    if message:  # a group without a command has printed its help instead
        sys.stderr.write(f"{name}: {' '.join(message.split())}\n")
    sys.exit(code)
