"""The baseline's calls: each one statement in autocommit, on a connection that is the ledger's alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

import asyncpg

RESERVE = "SELECT * FROM baseline.reserve_v1($1, $2, $3, $4, $5, $6)"
FINALIZE = "SELECT * FROM baseline.finalize_v1($1, $2, $3, $4)"
RENEW = "SELECT * FROM baseline.renew_v1($1, $2, $3)"
EXPIRE = "SELECT baseline.expire_v1($1, $2)"
TENANT_OF_KEY = "SELECT tenant_id FROM baseline.api_keys WHERE api_key_id = $1"

EXPIRE_ROWS_MAX = 200
CALL_SECONDS_MAX = 30.0
DOES_NOT_FIT = "BL003"
SETTINGS = {
    "application_name": "baseline",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
}
"""The same that the ledger gives its own connections."""


@dataclass(frozen=True, slots=True)
class Session:
    """A connection with its statements prepared once."""

    connection: asyncpg.Connection[asyncpg.Record]
    reserve: asyncpg.prepared_stmt.PreparedStatement[asyncpg.Record]
    finalize: asyncpg.prepared_stmt.PreparedStatement[asyncpg.Record]
    renew: asyncpg.prepared_stmt.PreparedStatement[asyncpg.Record]

    @classmethod
    async def open(cls, database_url: str) -> Self:
        connection = await asyncpg.connect(database_url, server_settings=SETTINGS)
        prepared = [await connection.prepare(statement) for statement in (RESERVE, FINALIZE, RENEW)]
        return cls(connection, *prepared)


class BaselineStore:
    """A fixed number of sessions, handed to one call at a time."""

    def __init__(self, sessions: list[Session]) -> None:
        self._sessions = sessions
        self._idle: asyncio.LifoQueue[Session] = asyncio.LifoQueue()
        for session in sessions:
            self._idle.put_nowait(session)

    @classmethod
    async def open(cls, database_url: str, connections: int) -> BaselineStore:
        return cls([await Session.open(database_url) for _ in range(connections)])

    async def close(self) -> None:
        for session in self._sessions:
            await session.connection.close()

    async def reserve(
        self, api_key_id: str, reservation_id: str, model: str, amounts: Mapping[str, int], lease: timedelta
    ) -> asyncpg.Record | None:
        """The outcome and the reservation; None where it does not fit. Lapsed holds are not in the way."""
        arguments = (api_key_id, reservation_id, model, list(amounts), list(amounts.values()), lease)
        while True:
            try:
                async with self._session() as session:
                    return await session.reserve.fetchrow(*arguments, timeout=CALL_SECONDS_MAX)
            except asyncpg.PostgresError as error:
                if error.sqlstate != DOES_NOT_FIT:
                    raise
            if not await self._expire(api_key_id):
                return None

    async def finalize(self, tenant_id: str, reservation_id: str, amounts: Mapping[str, int]) -> asyncpg.Record | None:
        arguments = (tenant_id, reservation_id, list(amounts), list(amounts.values()))
        async with self._session() as session:
            return await session.finalize.fetchrow(*arguments, timeout=CALL_SECONDS_MAX)

    async def renew(self, tenant_id: str, reservation_ids: list[str], lease: timedelta) -> list[asyncpg.Record]:
        async with self._session() as session:
            return await session.renew.fetch(tenant_id, reservation_ids, lease, timeout=CALL_SECONDS_MAX)

    async def _expire(self, api_key_id: str) -> int:
        async with self._session() as session:
            tenant_id = await session.connection.fetchval(TENANT_OF_KEY, api_key_id)
            return int(await session.connection.fetchval(EXPIRE, tenant_id, EXPIRE_ROWS_MAX))

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[Session]:
        session = await self._idle.get()
        try:
            yield session
        finally:
            self._idle.put_nowait(session)
