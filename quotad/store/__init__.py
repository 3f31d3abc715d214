"""The only place with SQL. `Store` opens the database; its parts speak values and raise `quotad.errors`.

Reading order of an operation's way: `ledger`, `performer` and `resolution` (whose it is), `lanes` (what waits for one
tenant becomes one batch), `batches`, then `optimistic` (plan on what `cache` remembers, verify and write in one call)
or `locked` (lock, load, plan, write), `applying` (a plan as arguments of `functions/apply_v2.sql`), `failures`.

Beside it: `edits` with `keys`, `groups`, `tokens` and `audit_log`; `limits`, `reservations`, `usage`, `refusals` and
`unbilled` (what operators read); `sweeper`, `retention` and `audit` (what runs by itself); `inspection`.
"""

from __future__ import annotations

from datetime import datetime

from quotad.store import statements
from quotad.store.audit import Auditor
from quotad.store.audit_log import AuditLog
from quotad.store.connections import Connections, StoreSettings
from quotad.store.groups import Groups
from quotad.store.inspection import Server, server_of
from quotad.store.keys import Keys
from quotad.store.lanes import UNWATCHED, Watch
from quotad.store.ledger import Ledger
from quotad.store.limits import Limits
from quotad.store.refusals import Refusals
from quotad.store.reservations import Reservations
from quotad.store.retention import Retention
from quotad.store.tokens import Tokens
from quotad.store.unbilled import Unbilled
from quotad.store.usage import Usage

__all__ = ["Store", "StoreSettings"]


class Store:
    """One database: the ledger, what is read of it and for how long it is kept, and how it is administered."""

    def __init__(self, connections: Connections, settings: StoreSettings, watch: Watch = UNWATCHED) -> None:
        self._connections = connections
        self.refusals = Refusals(connections, settings.refusal_entries_max)
        self.ledger = Ledger(connections, settings, self.refusals, watch)
        self.keys = Keys(connections, settings)
        self.groups = Groups(connections)
        self.tokens = Tokens(connections)
        self.audit_log = AuditLog(connections)
        self.limits = Limits(connections)
        self.reservations = Reservations(connections, settings)
        self.usage = Usage(connections)
        self.retention = Retention(connections, settings)
        self.auditor = Auditor(settings)
        self.unbilled = Unbilled(connections)

    @classmethod
    async def open(cls, settings: StoreSettings, watch: Watch = UNWATCHED) -> Store:
        """Connect; raises `StoreUnavailable`."""
        return cls(await Connections.open(settings), settings, watch)

    async def ping(self) -> None:
        """Raise `StoreUnavailable` or `Overloaded` unless the database answers."""
        async with self._connections.acquire() as connection:
            await connection.fetchval(statements.CLOCK)

    async def now(self) -> datetime:
        """The database's time."""
        async with self._connections.acquire() as connection:
            now: datetime = await connection.fetchval(statements.CLOCK)
        return now

    async def server(self) -> Server:
        """How the database is set up; raises `StoreUnavailable` or `Overloaded`."""
        async with self._connections.acquire() as connection:
            return await server_of(connection)

    async def close(self) -> None:
        await self.ledger.close()
        await self._connections.close()
