"""The only place with SQL. `Store` opens the database; its parts speak values and raise `quotad.errors`."""

from __future__ import annotations

from quotad.store import statements
from quotad.store.audit_log import AuditLog
from quotad.store.connections import Connections, StoreSettings
from quotad.store.groups import Groups
from quotad.store.keys import Keys
from quotad.store.ledger import Ledger
from quotad.store.tokens import Tokens

__all__ = ["Store", "StoreSettings"]


class Store:
    """One database: the ledger, its keys and groups, the service tokens, and the log of edits."""

    def __init__(self, connections: Connections, settings: StoreSettings) -> None:
        self._connections = connections
        self.ledger = Ledger(connections, settings)
        self.keys = Keys(connections, settings)
        self.groups = Groups(connections)
        self.tokens = Tokens(connections)
        self.audit_log = AuditLog(connections)

    @classmethod
    async def open(cls, settings: StoreSettings) -> Store:
        """Connect; raises `StoreUnavailable`."""
        return cls(await Connections.open(settings), settings)

    async def ping(self) -> None:
        """Raise `StoreUnavailable` or `Overloaded` unless the database answers."""
        async with self._connections.acquire() as connection:
            await connection.fetchval(statements.CLOCK)

    async def close(self) -> None:
        await self.ledger.close()
        await self._connections.close()
