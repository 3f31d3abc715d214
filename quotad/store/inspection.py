"""The database as an operator has set it up: its version, durability, clock and schemas."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import asyncpg

from quotad.store import statements, statements_inspection
from quotad.store.connections import CONNECT_SECONDS_MAX, Connection
from quotad.store.failures import translated

STATEMENT_SECONDS_MAX = 10.0
OVERDUE_AFTER = timedelta(seconds=60)
"""A sweeper that runs is many times quicker."""
OVERDUE_MAX = 10_000
"""Counted no further."""


@dataclass(frozen=True, slots=True)
class Server:
    """What decides whether a commit outlives a crash or a fail-over."""

    version_number: int
    """180004 for 18.4."""
    is_standby: bool
    fsync: str
    full_page_writes: str
    synchronous_commit: str
    synchronous_standby_names: str
    standbys: int


@dataclass(frozen=True, slots=True)
class Clock:
    """The database's clock beside this machine's."""

    ahead_seconds: float
    """Negative where the database's is behind."""
    error_seconds: float
    """Half of the question's round trip."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What the ledger says about its own running."""

    tokens_by_role: Mapping[str, int]
    overdue_reservations: int
    """Open ones whose lease lapsed a while ago; at most `OVERDUE_MAX`."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """One look at the database."""

    server: Server
    clock: Clock
    versions: Mapping[str, str | None]
    """Of each schema; None where this database does not have it."""
    contents: Contents | None
    """None where the ledger's schema is not the one that this program knows."""


async def inspect(database_url: str, known_version: str) -> Inspection:
    """Look once, on a connection of its own; raises `StoreUnavailable` or `Overloaded`."""
    with translated():
        connection = await asyncpg.connect(
            database_url, timeout=CONNECT_SECONDS_MAX, command_timeout=STATEMENT_SECONDS_MAX
        )
        try:
            server = await server_of(connection)
            clock = await _clock(connection)
            versions = {schema: await _version(connection, schema) for schema in statements_inspection.VERSION_OF}
            contents = await _contents(connection) if versions["quotad"] == known_version else None
        finally:
            await connection.close()
    return Inspection(server, clock, versions, contents)


async def server_of(connection: asyncpg.Connection[asyncpg.Record] | Connection) -> Server:
    row = await connection.fetchrow(statements_inspection.SERVER)
    if row is None:
        raise AssertionError("one row, by the statement's form")
    return Server(**dict(row))


async def _clock(connection: asyncpg.Connection[asyncpg.Record]) -> Clock:
    await connection.fetchval(statements.CLOCK)  # the second time the statement is prepared: one round trip
    before = time.time()
    told = (await connection.fetchval(statements.CLOCK)).timestamp()
    after = time.time()
    return Clock(told - (before + after) / 2, (after - before) / 2)


async def _version(connection: asyncpg.Connection[asyncpg.Record], schema: str) -> str | None:
    if not await connection.fetchval(statements_inspection.HAS_VERSION, f"{schema}.alembic_version"):
        return None
    version: str | None = await connection.fetchval(statements_inspection.VERSION_OF[schema])
    return version


async def _contents(connection: asyncpg.Connection[asyncpg.Record]) -> Contents:
    tokens = await connection.fetch(statements_inspection.TOKENS_BY_ROLE)
    overdue = await connection.fetchval(statements_inspection.OVERDUE, OVERDUE_AFTER, OVERDUE_MAX)
    return Contents({row["role"]: row["tokens"] for row in tokens}, overdue)
