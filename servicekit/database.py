"""Engines for a `postgresql://` URL, the one form that every service accepts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
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
        url = make_url(database_url)
    except ArgumentError as exc:
        raise DatabaseUrlInvalid("the database URL is not of the form postgresql://user:password@host/name") from exc
    if url.drivername not in ("postgresql", "postgres"):
        raise DatabaseUrlInvalid(f"the database URL must start with postgresql://, not {url.drivername}://")
    return url.set(drivername="postgresql+asyncpg")


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
        raise DatabaseUnusable(f"the database at {where} cannot be used: {exc or type(exc).__name__}") from exc
    try:
        yield connection
    finally:
        await connection.close()
