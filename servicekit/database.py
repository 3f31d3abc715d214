"""Engines for a `postgresql://` URL, the one form that every service accepts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

CONNECT_SECONDS_MAX = 5.0
STATEMENT_SECONDS_MAX = 30.0


class DatabaseUrlInvalid(ValueError):
    """The database URL cannot be used; the message never carries its password."""


class DatabaseUnusable(RuntimeError):
    """The database cannot be connected to; the message says why and never carries a password."""


def asyncpg_url(database_url: str) -> URL:
    """The URL for SQLAlchemy's asyncpg dialect; a socket directory stays in its `host` query parameter."""
    try:
        _ = urlsplit(database_url).port  # as asyncpg reads it, which quotad hands it to
        url = make_url(database_url)
    except (ArgumentError, ValueError) as exc:
        raise DatabaseUrlInvalid("the database URL is not of the form postgresql://user:password@host/name") from exc
    if url.drivername not in ("postgresql", "postgres"):
        raise DatabaseUrlInvalid(f"the database URL must start with postgresql://, not {url.drivername}://")
    # libpq's name for it, which managed databases put into their URLs; asyncpg's own argument is another.
    query = {"ssl" if name == "sslmode" else name: value for name, value in url.query.items()}
    return url.set(drivername="postgresql+asyncpg", query=query)


def create_engine(database_url: str, *, connections_max: int = 5, application_name: str) -> AsyncEngine:
    """An engine with a bounded pool, bounded connects and bounded statements."""
    return create_async_engine(
        asyncpg_url(database_url),
        pool_size=connections_max,
        max_overflow=0,
        pool_timeout=CONNECT_SECONDS_MAX,
        pool_pre_ping=True,
        connect_args={
            "timeout": CONNECT_SECONDS_MAX,
            "command_timeout": STATEMENT_SECONDS_MAX,
            "server_settings": {"application_name": application_name},
        },
    )


@asynccontextmanager
async def connect(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection for the length of the block; raises `DatabaseUnusable` where there is none to be had."""
    try:
        connection = await engine.connect()
    except (OSError, SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError) as exc:
        url = engine.url
        where = f"{url.host or url.query.get('host', 'the default socket')}:{url.port or 5432}/{url.database}"
        raise DatabaseUnusable(f"the database at {where} cannot be used: {first_line(exc)}") from exc
    try:
        yield connection
    finally:
        await connection.close()


def first_line(exc: Exception) -> str:
    """What the driver said, without the statement and its parameters."""
    said = str(exc.orig if isinstance(exc, DBAPIError) and exc.orig else exc)
    return (said.splitlines() or [""])[0] or type(exc).__name__
