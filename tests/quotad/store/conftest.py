"""A ledger on a database of its own; whatever a test did, it must add up afterwards."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import asyncpg
import pytest

from quotad.core.keys import KeyDraft
from quotad.core.operations import Finalize, Release, Reserve, ReserveAnswer, SettleAnswer
from quotad.store import Store, StoreSettings
from quotad.store.audit import differences
from quotad.values import (
    ApiKey,
    Limit,
    LimitStatus,
    LimitsView,
    Reservation,
    Scope,
    Subject,
    Window,
    WindowKind,
)


def limit(metric: str = "total_tokens", max_value: int = 100, kind: WindowKind = WindowKind.DAY, **more: str) -> Limit:
    return Limit(metric, Window(kind), max_value, **more)  # type: ignore[arg-type]


@dataclass
class Bench:
    """A store with one key, and short forms of its calls."""

    store: Store
    database_url: str
    key: ApiKey
    secret: str
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    async def reserve(self, reservation_id: str, tokens: int, **more: object) -> ReserveAnswer:
        fields = {"subject": Subject(api_key_id=self.key.api_key_id), "model": "gpt-5", **more}
        operation = Reserve(reservation_id, amounts={"total_tokens": tokens}, **fields)  # type: ignore[arg-type]
        return await self.store.ledger.reserve(operation)

    async def finalize(self, reservation_id: str, tokens: int | None = None, **more: object) -> SettleAnswer:
        amounts = {} if tokens is None else {"total_tokens": tokens}
        operation = Finalize(**{"scope": Scope(), **more}, reservation_id=reservation_id, amounts=amounts)  # type: ignore[arg-type]
        return await self.store.ledger.finalize(operation)

    async def release(self, reservation_id: str) -> SettleAnswer:
        return await self.store.ledger.release(Release(Scope(), reservation_id, "test", LimitsView.NONE))

    async def read(self, reservation_id: str) -> Reservation:
        return await self.store.ledger.get_reservation(Scope(), reservation_id)

    async def status(self, metric: str = "total_tokens") -> LimitStatus:
        description = await self.store.ledger.describe_key(Subject(api_key_id=self.key.api_key_id))
        return next(found for found in description.limits if found.limit.metric == metric)

    async def counters(self) -> tuple[int, int]:
        """`used` and `held` of the total_tokens limit."""
        status = await self.status()
        return status.used, status.held

    async def new_key(self, *limits: Limit, name: str = "other", **more: object) -> tuple[ApiKey, str]:
        draft = KeyDraft(name, tuple(limits), **more)  # type: ignore[arg-type]
        key, secret = await self.store.keys.create(f"request-{next(self.numbers)}", "default", draft)
        assert secret is not None
        return key, secret

    async def execute(self, sql: str, *arguments: object) -> str:
        """Reach into the database, to move time."""
        connection = await asyncpg.connect(self.database_url)
        try:
            return await connection.execute(sql, *arguments)
        finally:
            await connection.close()

    async def lapse(self, reservation_id: str) -> None:
        await self.execute(
            "UPDATE quotad.reservations SET expire_time = clock_timestamp() - interval '1 s' WHERE reservation_id = $1",
            reservation_id,
        )


@pytest.fixture
async def bench(database_url: str) -> AsyncIterator[Bench]:
    store = await Store.open(StoreSettings(database_url))
    key, secret = await store.keys.create("first", "default", KeyDraft("demo", (limit(),)))
    assert secret is not None
    yield Bench(store, database_url, key, secret)
    await store.close()
    assert await differences(database_url) == []
