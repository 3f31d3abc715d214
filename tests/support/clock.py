"""A database whose clock a test can set and move.

The ledger asks its database for the time by the unqualified names `clock_timestamp()` and `statement_timestamp()`. In a
database prepared here they find functions that add an interval of the test's choice, so that leases lapse and windows
roll without waiting.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import asyncpg
from sqlalchemy import make_url

SCHEMA = "moved_clock"

_PREPARE = f"""
CREATE SCHEMA {SCHEMA};
CREATE TABLE {SCHEMA}.clock (ahead interval NOT NULL);
INSERT INTO {SCHEMA}.clock VALUES (interval '0');
CREATE FUNCTION {SCHEMA}.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
    'SELECT pg_catalog.clock_timestamp() + ahead FROM {SCHEMA}.clock';
CREATE FUNCTION {SCHEMA}.statement_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS
    'SELECT pg_catalog.statement_timestamp() + ahead FROM {SCHEMA}.clock';
"""
_MOVE = f"UPDATE {SCHEMA}.clock SET ahead = ahead + $1"
_SET = f"UPDATE {SCHEMA}.clock SET ahead = $1 - pg_catalog.clock_timestamp()"
_SWEEP_ALONG = "UPDATE quotad.lease_clock SET last_sweep_time = last_sweep_time + $1"


async def prepare(database_url: str) -> None:
    """Make the clock of this database movable, for every session that begins from then on."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(_PREPARE)
        await connection.execute(
            f'ALTER DATABASE "{make_url(database_url).database}" SET search_path = {SCHEMA}, pg_catalog, public'
        )
    finally:
        await connection.close()


async def move(connection: asyncpg.Connection[asyncpg.Record], by: timedelta, *, swept: bool = True) -> None:
    """Let time pass, or go back. Unless `swept`, nobody swept meanwhile: the ledger itself was away."""
    async with connection.transaction():
        await connection.execute(_MOVE, by)
        if swept:
            await connection.execute(_SWEEP_ALONG, by)


async def set_to(connection: asyncpg.Connection[asyncpg.Record], moment: datetime) -> None:
    """Let it be this moment, from which time goes on."""
    await connection.execute(_SET, moment)
