"""A ledger connection that stops before each statement, for the code that production runs."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, TypeVar, cast

import asyncpg
from asyncpg.transaction import Transaction

from quotad.store.connections import Connection, Connections
from tests.quotad.interleavings.scheduler import Session

Result = TypeVar("Result")

_FUNCTION = re.compile(r"quotad\.(\w+)_v\d+\(")
_TABLE = re.compile(r"(?:FROM|INTO|UPDATE) (quotad\.\w+)")


def name_of(statement: str) -> str:
    """`apply` for a call of the function `quotad.apply_v1`, else the table that is read or written."""
    found = _FUNCTION.search(statement) or _TABLE.search(statement)
    return found[1] if found else statement.strip()


class SteppedTransaction:
    """`BEGIN` and `COMMIT` are stops, too."""

    def __init__(self, connection: SteppedConnection, transaction: Transaction) -> None:
        self._connection = connection
        self._transaction = transaction

    async def start(self) -> None:
        await self._connection.step("BEGIN", self._transaction.start)

    async def commit(self) -> None:
        await self._connection.step("COMMIT", self._transaction.commit)

    async def rollback(self) -> None:
        await self._transaction.rollback()

    async def __aenter__(self) -> None:
        await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await (self.commit() if error is None else self.rollback())


class SteppedConnection:
    """What the store uses of a connection. It stops at the statements in `stops`, at all where that is None."""

    def __init__(self, connection: Connection, session: Session, stops: Collection[str] | None) -> None:
        self._connection = connection
        self._session = session
        self._stops = stops
        session.pid = connection.get_server_pid()

    def transaction(self, **options: Any) -> SteppedTransaction:
        return SteppedTransaction(self, self._connection.transaction(**options))

    async def fetch(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        return await self.step(name_of(statement), lambda: self._connection.fetch(statement, *arguments))

    async def fetchrow(self, statement: str, *arguments: object) -> asyncpg.Record | None:
        return await self.step(name_of(statement), lambda: self._connection.fetchrow(statement, *arguments))

    async def fetchval(self, statement: str, *arguments: object) -> Any:
        return await self.step(name_of(statement), lambda: self._connection.fetchval(statement, *arguments))

    async def execute(self, statement: str, *arguments: object) -> str:
        return await self.step(name_of(statement), lambda: self._connection.execute(statement, *arguments))

    async def step(self, name: str, statement: Callable[[], Awaitable[Result]]) -> Result:
        if self._stops is None or name in self._stops:
            await self._session.stop(name)
        try:
            return await statement()
        except asyncpg.DeadlockDetectedError as deadlock:
            # The store would try again, which is right and hides what must not happen.
            raise AssertionError(f"a deadlock at {name}") from deadlock


class SteppedConnections:
    """Stands in for `Connections` of one session: what it hands out stops before each statement."""

    def __init__(self, pool: Connections, session: Session, stops: Collection[str] | None) -> None:
        self._pool = pool
        self._session = session
        self._stops = stops

    def as_connections(self) -> Connections:
        return cast(Connections, self)

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Connection]:
        async with self._pool.acquire() as connection:
            yield cast(Connection, SteppedConnection(connection, self._session, self._stops))
