"""What the proxy remembers of keys: read once for however many ask, and no longer than it may."""

from __future__ import annotations

import asyncio

import pytest

from proxy.errors import InvalidApiKey
from proxy.http.keys import KeyDirectory
from quotad.client.types import KeyDescription
from tests.proxy.http.world import World, limit


class Counted:
    """The real call, counted, under a clock that the test moves."""

    def __init__(self, world: World) -> None:
        self._quota = world.worker.quota
        self.times = 0
        self.now = 0.0

    async def describe_key(self, *, api_key: str | None = None) -> KeyDescription:
        self.times += 1
        return await self._quota.describe_key(api_key=api_key)

    def directory(self) -> KeyDirectory:
        return KeyDirectory(self, lambda: self.now, cache_seconds=3, stale_seconds=60, keys_max=10)


async def test_a_key_is_read_once_for_all_who_ask_at_a_time(world: World) -> None:
    key, counted = await world.create_key(limit("requests", 10)), Counted(world)
    directory = counted.directory()
    waiting = [asyncio.create_task(directory.defaults(key.secret)) for _ in range(5)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    told = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(told[0], asyncio.CancelledError)
    assert [each.api_key.name for each in told[1:] if isinstance(each, KeyDescription)] == ["alice"] * 4
    assert counted.times == 1


async def test_it_is_read_again_when_it_is_old(world: World) -> None:
    key, counted = await world.create_key(limit("requests", 10)), Counted(world)
    directory = counted.directory()
    for now, times in ((0, 1), (2.9, 1), (3.1, 2)):
        counted.now = now
        await directory.defaults(key.secret)
        assert counted.times == times


async def test_a_key_that_nobody_knows_is_not_remembered(world: World) -> None:
    counted = Counted(world)
    directory = counted.directory()
    for times in (1, 2):
        with pytest.raises(InvalidApiKey):
            await directory.defaults("unknown")
        assert counted.times == times
