"""A command that cannot work ends in one line that says what to do, and exit code 2."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import typer
from sqlalchemy.exc import SQLAlchemyError

from dashboard.database import first_line
from dashboard.errors import DatabaseUnavailable, PasswordTooLong, PasswordTooShort
from servicekit.database import DatabaseUnusable, DatabaseUrlInvalid
from servicekit.listening import ListenRefused
from servicekit.migrations import SchemaUnknown
from servicekit.settings import SettingsInvalid

CANNOT_WORK = 2

REFUSALS = (SettingsInvalid, ListenRefused, SchemaUnknown, DatabaseUnusable, PasswordTooShort, PasswordTooLong)
"""Their messages say it all."""


@contextmanager
def one_line_failures() -> Iterator[None]:
    """Turn what a start-up can meet into its one line; defects keep their traceback."""
    try:
        yield
    except REFUSALS as exc:
        _stop(" ".join(str(exc).split()))
    except DatabaseUrlInvalid as exc:
        _stop(f"DASHBOARD_DATABASE_URL: {exc}")
    except DatabaseUnavailable as exc:
        _stop(f"DASHBOARD_DATABASE_URL: {exc.message}")
    except (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as exc:
        _stop(f"the database cannot be used (DASHBOARD_DATABASE_URL): {first_line(exc)}")


def _stop(line: str) -> None:
    typer.echo(f"quota-dashboard: {line}", err=True)
    raise typer.Exit(CANNOT_WORK)
