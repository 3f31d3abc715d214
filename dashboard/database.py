"""Transactions that are bounded in time and say plainly when the database is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import structlog
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from dashboard.errors import DatabaseUnavailable
from servicekit.database import first_line

DEFECTS = (DataError, IntegrityError, ProgrammingError)
"""Statements that cannot work: trying again does not help."""
AWAY = (DBAPIError, PoolTimeout, asyncpg.PostgresError, asyncpg.InterfaceError, OSError)
"""What the driver raises, in and outside SQLAlchemy's wrapping; time-outs are OSErrors."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Database:
    """The engine, and how long one transaction may take."""

    engine: AsyncEngine
    seconds_max: float

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Commit at the end of the block, roll back when it raises. Raises `DatabaseUnavailable`."""
        async with self._begun(self.engine) as connection:
            yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """To read with several statements what was true at one moment; otherwise as `transaction`."""
        async with self._begun(self.engine.execution_options(isolation_level="REPEATABLE READ")) as connection:
            yield connection

    @asynccontextmanager
    async def _begun(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        try:
            async with asyncio.timeout(self.seconds_max), engine.begin() as connection:
                yield connection
        except DEFECTS:
            raise
        except AWAY as exc:
            log.warning("database unavailable", error=first_line(exc))
            raise DatabaseUnavailable from exc
