"""Two daemons on one database, emptied for each example.

An example moves its clock by whole hours, while its leases end and its keys expire between two hours: the minutes that
an example itself takes decide nothing.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Coroutine
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self, TypeVar

import asyncpg

from quotad.administration import Group
from quotad.core.groups import GroupChanges, GroupDraft
from quotad.core.keys import KeyChanges, KeyDraft
from quotad.store import Store, StoreSettings
from quotad.store.audit import differences
from quotad.values import ApiKey
from tests.quotad.model.daemon import Daemon, Names, limit_of
from tests.quotad.model.oracle import DEFAULT_LEASE, Facts, Window
from tests.support import clock

DAEMONS = 2
TABLES = """
SELECT string_agg(format('%I.%I', table_schema, table_name), ', ') FROM information_schema.tables
WHERE table_schema = 'quotad' AND table_type = 'BASE TABLE' AND table_name <> 'alembic_version'
"""

Result = TypeVar("Result")


class World:
    """The stores live as long as the test, so that their caches are warm; each example is a tenant of its own."""

    def __init__(self, database_url: str) -> None:
        self.database_url = database_url
        self._runner = asyncio.Runner()
        self._connection: asyncpg.Connection[asyncpg.Record]
        self._stores: list[Store] = []

    def __enter__(self) -> Self:
        self.run(self._open())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.run(self._close())
        self._runner.close()

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        return self._runner.run(coroutine)

    async def _open(self) -> None:
        await clock.prepare(self.database_url)
        self._connection = await asyncpg.connect(self.database_url)
        self._tables = await self._connection.fetchval(TABLES)
        settings = StoreSettings(self.database_url, default_lease_seconds=DEFAULT_LEASE.total_seconds())
        self._stores = [await Store.open(settings) for _ in range(DAEMONS)]

    async def _close(self) -> None:
        for store in self._stores:
            await store.close()
        await self._connection.close()

    async def begin(self, now: datetime) -> Tenant:
        """An empty ledger at this moment."""
        await self._connection.execute(f"TRUNCATE {self._tables} CASCADE")
        await clock.set_to(self._connection, now)
        return Tenant(self, f"tenant-{uuid.uuid4().hex}", self._stores)

    async def windows(self, names: Names) -> dict[Window, Facts]:
        """What every window row holds that holds or has used anything."""
        rows = await self._connection.fetch(
            "SELECT limit_id::text, window_start, held, used FROM quotad.windows WHERE held <> 0 OR used <> 0"
        )
        return {
            (names.rule(row["limit_id"]), row["window_start"]): {"held": row["held"], "used": row["used"]}
            for row in rows
        }

    async def pass_time(self, by: timedelta, *, swept: bool) -> None:
        await clock.move(self._connection, by, swept=swept)

    async def differences(self) -> list[object]:
        return list(await differences(self.database_url))


class Tenant:
    """The keys of one example, and the daemons that serve them."""

    def __init__(self, world: World, tenant_id: str, stores: list[Store]) -> None:
        self.world = world
        self.tenant_id = tenant_id
        self._names = Names()
        self.daemons = [Daemon(store, tenant_id, self._names) for store in stores]

    async def create_group(self, limits: list[Facts], parent: str) -> str:
        draft = GroupDraft("model", parent, tuple(limit_of(given) for given in limits))
        group = await self.daemons[0].store.groups.create(uuid.uuid4().hex, self.tenant_id, draft)
        self._names.learn(group.group_id, group.limits)
        return group.group_id

    async def create_key(self, limits: list[Facts], group: str) -> str:
        draft = KeyDraft("model", tuple(limit_of(given) for given in limits), group_id=group)
        key, _ = await self.daemons[0].store.keys.create(uuid.uuid4().hex, self.tenant_id, draft)
        self._names.learn(key.api_key_id, key.limits)
        return key.api_key_id

    async def edit(self, daemon: int, owner: str, **changes: Any) -> None:
        """Change a key or a group."""
        store = self.daemons[daemon].store
        edited: ApiKey | Group
        if owner.startswith("key_"):
            edited = await store.keys.update(self.tenant_id, owner, KeyChanges(**changes), "")
        else:
            edited = await store.groups.update(self.tenant_id, owner, GroupChanges(**changes), "")
        self._names.learn(owner, edited.limits)

    async def windows(self) -> dict[Window, Facts]:
        return await self.world.windows(self._names)

    async def sweep(self, daemon: int) -> None:
        await self.daemons[daemon].store.ledger.sweep()
