"""Refusals: exact counts by key, limit and minute, and samples that explain them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from quotad.core.keys import KeyChanges
from quotad.errors import InvalidRequest, Refused, StoreUnavailable
from quotad.records import Page, RefusalCount
from quotad.store import Store, StoreSettings
from quotad.store.connections import Connection
from quotad.store.refusals import RefusalQuery, Refusals, Watch
from quotad.values import BlockedBy, Enforcement, Limit, LimitOwner, LimitStatus, Violation
from tests.quotad.store.conftest import Bench, limit
from tests.support.waiting import eventually

IGNORED = Watch(refused=lambda _limit, _refused: None, dropped=lambda _: None)
NOON = datetime(2030, 1, 31, 12, 0, 30, tzinfo=UTC)


def violation(bench: Bench, enforcement: Enforcement = Enforcement.ENFORCE, used: int = 90) -> Violation:
    found = replace(bench.key.limits[0], enforcement=enforcement)
    owner = LimitOwner(bench.key.api_key_id, "demo")
    return Violation(LimitStatus(found, owner, used, 5, NOON, None), 10, BlockedBy.USED)


async def listed(bench: Bench, **filters: object) -> tuple[RefusalCount, ...]:
    return (await page(bench, 100, "", filters)).items


async def page(bench: Bench, size: int, token: str, filters: dict[str, object]) -> Page[RefusalCount]:
    end = max(NOON, await bench.store.now()) + timedelta(days=1)
    query = RefusalQuery("default", datetime(2020, 1, 1, tzinfo=UTC), end, **filters)  # type: ignore[arg-type]
    return await bench.store.refusals.list(query, size, token)


async def test_a_refusal_is_counted_and_explained(bench: Bench) -> None:
    await bench.reserve("a", 60)
    await bench.finalize("a", 50)
    await bench.reserve("b", 30)
    for tokens in (30, 101):
        with pytest.raises(Refused):
            await bench.reserve("c", tokens)
    await bench.store.refusals.flush(IGNORED)
    found = await listed(bench)
    assert sum(count.refused for count in found) == 2
    assert found[0].limit == bench.key.limits[0]
    assert (found[0].api_key_id, found[0].owner.name) == (bench.key.api_key_id, "demo")
    held, never = (sample for count in reversed(found) for sample in count.samples)
    assert (held.model, held.requested, held.used, held.held, held.max_value) == ("gpt-5", 30, 50, 30, 100)
    assert (held.blocked_by, held.never_fits, never.never_fits) == (BlockedBy.HELD, False, True)


async def test_shadow_refusals_are_told_apart_and_refuse_nothing(bench: Bench) -> None:
    shadow = Limit("requests", bench.key.limits[0].window, 1, enforcement=Enforcement.SHADOW)
    limits = (limit(max_value=100), shadow)
    await bench.store.keys.update("default", bench.key.api_key_id, KeyChanges(limits=limits), "")
    await bench.reserve("a", 60)
    await bench.reserve("b", 10)
    with pytest.raises(Refused) as refused:
        await bench.reserve("c", 90)
    assert [found.status.limit.metric for found in refused.value.denial.violations] == ["total_tokens"]
    await bench.store.refusals.flush(IGNORED)
    by_kind = {(count.limit.metric, count.enforcement): count.refused for count in await listed(bench)}
    assert by_kind == {("requests", Enforcement.SHADOW): 1, ("total_tokens", Enforcement.ENFORCE): 1}
    (only,) = await listed(bench, enforcement=Enforcement.SHADOW)
    assert only.enforcement is Enforcement.SHADOW


async def test_counts_are_exact_and_samples_are_ten(bench: Bench) -> None:
    """Over all daemons."""
    stores = [await Store.open(StoreSettings(bench.database_url)) for _ in range(3)]
    for store in stores:
        for number in range(1000):
            store.refusals.note("default", bench.key.api_key_id, "m", [violation(bench, used=number)], NOON)
    await asyncio.gather(*(store.refusals.flush(IGNORED) for store in stores))
    await asyncio.gather(*(store.close() for store in stores))
    (count,) = await listed(bench)
    assert (count.refused, len(count.samples)) == (3000, 10)
    assert count.minute == NOON.replace(second=0)
    assert [sample.used for sample in count.samples] == list(range(10))


async def test_each_minute_counts_for_itself(bench: Bench) -> None:
    for seconds in (0, 29, 30, 89, -31):
        now = NOON + timedelta(seconds=seconds)
        bench.store.refusals.note("default", bench.key.api_key_id, "m", [violation(bench)], now)
        await bench.store.refusals.flush(IGNORED)
    found = [(count.minute.minute, count.refused) for count in await listed(bench)]
    assert found == [(1, 2), (0, 2), (59, 1)]


async def test_a_flush_whose_answer_is_lost_is_counted_once(bench: Bench) -> None:
    losing = Losing(bench.store.refusals._connections)
    refusals = Refusals(losing, 100)  # type: ignore[arg-type]
    refusals.note("default", bench.key.api_key_id, "m", [violation(bench)], NOON)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await refusals.flush(IGNORED)
        refusals.note("default", bench.key.api_key_id, "m", [violation(bench)], NOON)
    losing.loses = False
    await refusals.flush(IGNORED)
    assert [count.refused for count in await listed(bench)] == [1]
    await refusals.flush(IGNORED)
    assert [count.refused for count in await listed(bench)] == [3]


async def test_what_waits_is_bounded_and_the_rest_is_told(bench: Bench) -> None:
    refusals = Refusals(bench.store.refusals._connections, entries_max=2)
    dropped: list[int] = []
    for number in range(5):
        for _ in range(2):
            refusals.note("default", f"key{number}", "m", [violation(bench)], NOON)
    await refusals.flush(replace(IGNORED, dropped=dropped.append))
    assert dropped == [6]
    assert [(count.api_key_id, count.refused) for count in await listed(bench)] == [("key1", 2), ("key0", 2)]


async def test_what_the_database_never_takes_keeps_nothing_else(bench: Bench) -> None:
    dropped: list[int] = []
    watch = replace(IGNORED, dropped=dropped.append)
    bench.store.refusals.note("default", bench.key.api_key_id, "\0", [violation(bench)], NOON)
    await bench.store.refusals.flush(watch)
    bench.store.refusals.note("default", bench.key.api_key_id, "m", [violation(bench)], NOON)
    await bench.store.refusals.flush(watch)
    assert [count.refused for count in await listed(bench)] == [1]
    assert sum(dropped) == 1


async def test_the_recorder_writes_each_second_and_once_more_at_its_end(bench: Bench) -> None:
    stopping = asyncio.Event()
    running = asyncio.create_task(bench.store.refusals.run(stopping, IGNORED))
    bench.store.refusals.note("default", bench.key.api_key_id, "m", [violation(bench)], NOON)

    async def is_written() -> bool:
        return bool(await listed(bench))

    await eventually(is_written)
    bench.store.refusals.note("default", bench.key.api_key_id, "m", [violation(bench)], NOON)
    stopping.set()
    await running
    assert [count.refused for count in await listed(bench)] == [2]


async def test_refusals_are_listed_page_by_page_and_by_filter(bench: Bench) -> None:
    for minute in range(3):
        for key in ("a", "b"):
            now = NOON + timedelta(minutes=minute)
            bench.store.refusals.note("default", key, "m", [violation(bench)], now)
    await bench.store.refusals.flush(IGNORED)
    seen: list[tuple[int, str]] = []
    token = ""
    for _ in range(3):
        found = await page(bench, 2, token, {})
        token = found.next_page_token
        seen += [(count.minute.minute, count.api_key_id) for count in found.items]
    assert (seen, token) == ([(2, "b"), (2, "a"), (1, "b"), (1, "a"), (0, "b"), (0, "a")], "")
    assert len(await listed(bench, api_key_id="a")) == 3
    assert len(await listed(bench, limit_id=bench.key.limits[0].limit_id)) == 6
    with pytest.raises(InvalidRequest):
        await listed(bench, limit_id="none")


class Losing:
    """Connections whose every statement is done, and its answer lost."""

    def __init__(self, connections: object) -> None:
        self._connections = connections
        self.loses = True

    def acquire(self) -> Losing:
        self._acquired = self._connections.acquire()  # type: ignore[attr-defined]
        return self

    async def __aenter__(self) -> Connection:
        connection: Connection = await self._acquired.__aenter__()
        return connection

    async def __aexit__(self, *error: object) -> None:
        with suppress(StopAsyncIteration):
            await self._acquired.__aexit__(*error)
        if self.loses:
            raise StoreUnavailable("the answer was lost")
