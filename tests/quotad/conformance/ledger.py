"""What the tests ask of the ledger, through whichever transport; ids, keys and limits are each test's own."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import asyncpg

from quotad.client.admin import AdminClient
from quotad.client.types import Grant, Renewal, Settlement
from quotad.core.operations import Finalize, Release, Renew, Reserve
from quotad.store import Store, StoreSettings
from quotad.values import (
    Amounts,
    ApiKey,
    Enforcement,
    Limit,
    LimitStatus,
    Reservation,
    Scope,
    Subject,
    Window,
    WindowKind,
)
from tests.quotad.conformance.transport import Transport
from tests.support import clock
from tests.support.waiting import eventually

HOUR = 3600
DEFAULT_LEASE_SECONDS = 120
MODEL = "gpt-5"


def limit(metric: str = "total_tokens", max_value: int = 100, model_pattern: str = "", seconds: int = HOUR) -> Limit:
    """A limit whose windows run from its creation on: none ends while a test runs."""
    return Limit(metric, Window(WindowKind.FIXED, seconds), max_value, model_pattern)


def lifetime(metric: str, max_value: int) -> Limit:
    return Limit(metric, Window(WindowKind.LIFETIME), max_value)


def shadow(metric: str, max_value: int) -> Limit:
    return Limit(metric, Window(WindowKind.FIXED, 2 * HOUR), max_value, enforcement=Enforcement.SHADOW)


@dataclass(frozen=True, slots=True)
class Ledger:
    """A running daemon, reached by one transport, with the database behind it."""

    transport: Transport
    admin: AdminClient
    connection: asyncpg.Connection[asyncpg.Record]
    database_url: str

    async def key(
        self, *limits: Limit, tenant_id: str = "default", allowed_models: Iterable[str] = (), group_id: str = ""
    ) -> Key:
        """A key with these limits, with 100 total tokens an hour where none is given."""
        made = await self.admin.create_api_key(
            "conformance",
            limits=limits or (limit(),),
            tenant_id=tenant_id,
            allowed_models=tuple(allowed_models),
            group_id=group_id,
        )
        return Key(self, made.api_key, made.secret)

    @asynccontextmanager
    async def away(self, seconds: float) -> AsyncIterator[None]:
        """Nobody swept for some time. After the block the time that clients get to renew is over, too."""
        await self.pass_time(seconds, swept=False)
        try:
            yield
        finally:
            await self.sweep()
            await self.pass_time(DEFAULT_LEASE_SECONDS + 1)

    async def sweep(self) -> None:
        """What each daemon does once a second, as if another one did it now."""
        store = await Store.open(StoreSettings(self.database_url, workers=1))
        await store.ledger.sweep()
        await store.close()

    async def someone_waits(self) -> None:
        """Until some session waits for a lock."""
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        await eventually(lambda: self.connection.fetchval(waiting))

    async def pass_time(self, seconds: float, *, swept: bool = True) -> None:
        await clock.move(self.connection, timedelta(seconds=seconds), swept=swept)


@dataclass(slots=True)
class Key:
    """One key, and short forms of its calls."""

    ledger: Ledger
    api_key: ApiKey
    secret: str
    prefix: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def subject(self) -> Subject:
        return Subject(api_key_id=self.api_key.api_key_id)

    @property
    def scope(self) -> Scope:
        return Scope(api_key_id=self.api_key.api_key_id)

    def id(self, name: str) -> str:
        """A reservation id that no other test has."""
        return f"{self.prefix}-{name}"

    def reserving(self, name: str, amounts: int | Amounts = 10, **fields: object) -> Reserve:
        """A number is an amount of total tokens."""
        given = {"subject": self.subject, "model": MODEL, **fields}
        return Reserve(self.id(name), amounts=_amounts(amounts), **given)  # type: ignore[arg-type]

    def finalizing(self, name: str, amounts: int | Amounts | None = None, **fields: object) -> Finalize:
        given = {"scope": self.scope, **fields}
        named = {} if amounts is None else _amounts(amounts)
        return Finalize(reservation_id=self.id(name), amounts=named, **given)  # type: ignore[arg-type]

    def releasing(self, name: str, scope: Scope | None = None) -> Release:
        return Release(scope or self.scope, self.id(name), "conformance")

    async def reserve(self, name: str, amounts: int | Amounts = 10, **fields: object) -> Grant:
        return await self.ledger.transport.reserve(self.reserving(name, amounts, **fields))

    async def finalize(self, name: str, amounts: int | Amounts | None = None, **fields: object) -> Settlement:
        return await self.ledger.transport.finalize(self.finalizing(name, amounts, **fields))

    async def release(self, name: str, scope: Scope | None = None) -> Settlement:
        return await self.ledger.transport.release(self.releasing(name, scope))

    async def renew(self, *names: str, seconds: float | None = None) -> tuple[Renewal, ...]:
        lease = None if seconds is None else timedelta(seconds=seconds)
        ids = tuple(self.id(name) for name in names)
        return await self.ledger.transport.renew(Renew(self.scope, ids, lease))

    async def read(self, name: str) -> Reservation:
        return await self.ledger.transport.get_reservation(self.scope, self.id(name))

    async def statuses(self) -> tuple[LimitStatus, ...]:
        """The key's limits, in the order in which they were given."""
        return (await self.ledger.transport.describe_key(self.subject)).limits

    async def counters(self) -> list[tuple[int, int]]:
        """`used` and `held` of each limit in its current window."""
        return [(status.used, status.held) for status in await self.statuses()]

    async def edit(self, **changes: object) -> None:
        """Change the key, as an operator would."""
        tenant_id = self.api_key.tenant_id
        await self.ledger.admin.update_api_key(self.api_key.api_key_id, tenant_id=tenant_id, **changes)  # type: ignore[arg-type]

    async def delete(self) -> None:
        await self.ledger.admin.delete_api_key(self.api_key.api_key_id, tenant_id=self.api_key.tenant_id)

    @asynccontextmanager
    async def windows_locked(self) -> AsyncIterator[None]:
        """While the block runs, whoever changes the key's window rows waits."""
        limit_ids = [status.limit.limit_id for status in await self.statuses()]
        async with self.ledger.connection.transaction():
            lock = "SELECT FROM quotad.windows WHERE limit_id = ANY ($1::uuid[]) FOR UPDATE"
            await self.ledger.connection.execute(lock, limit_ids)
            yield

    async def lapse(self, name: str) -> None:
        """End the lease of this reservation alone, as if its time were up."""
        await self.ledger.connection.execute(
            "UPDATE quotad.reservations SET expire_time = clock_timestamp() - interval '1 s' WHERE reservation_id = $1",
            self.id(name),
        )

    async def swept(self, name: str) -> None:
        """It has lapsed, and is moved to EXPIRED."""
        await self.ledger.sweep()
        await self.expired(name)

    async def expired(self, name: str) -> None:
        """Until some sweeper has moved it to EXPIRED."""
        state = "SELECT state = 'expired' FROM quotad.reservations WHERE reservation_id = $1"
        await eventually(lambda: self.ledger.connection.fetchval(state, self.id(name)))


def _amounts(amounts: int | Amounts) -> Amounts:
    return {"total_tokens": amounts} if isinstance(amounts, int) else amounts
