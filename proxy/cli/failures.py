"""A start that cannot work ends in one line that says what to do, and exit code 2."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import typer
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from proxy.records.secrets import SecretKeyUnusable
from servicekit.database import DatabaseUnusable, DatabaseUrlInvalid
from servicekit.listening import ListenRefused
from servicekit.migrations import SchemaUnknown
from servicekit.settings import SettingsInvalid

CANNOT_START = 2


@contextmanager
def one_line_failures() -> Iterator[None]:
    """Turn what a start-up can meet into its one line; defects keep their traceback."""
    try:
        yield
    except (DatabaseUrlInvalid, DatabaseUnusable) as exc:
        _stop(f"PROXY_DATABASE_URL: {_first_line(exc)}")
    except (SettingsInvalid, ListenRefused, SchemaUnknown, SecretKeyUnusable, OSError) as exc:
        _stop(_first_line(exc))
    except (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError) as exc:
        _stop(f"the database refuses (PROXY_DATABASE_URL): {_first_line(exc)}")


def _stop(line: str) -> None:
    typer.echo(f"quota-proxy: {line}", err=True)
    raise typer.Exit(CANNOT_START)


def _first_line(exc: Exception) -> str:
    """What the driver said, without the statement and its parameters."""
    said = str(exc.orig if isinstance(exc, DBAPIError) and exc.orig else exc)
    return (said.splitlines() or [type(exc).__name__])[0] or type(exc).__name__
