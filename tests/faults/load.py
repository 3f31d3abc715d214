"""The load: requests on skewed keys that go every way a request can go, each decided by chance and a seed.

"Who may release" is kept where one caller decides; the contested ones are two callers that disagree.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from random import Random

from quotad.client.types import CreatedKey
from quotad.values import Limit, Window, WindowKind
from tests.faults.callers import Callers
from tests.faults.history import UNKNOWN, Ask, Kind
from tests.faults.site import Site

KEYS = 6
SHORT_LEASE_SECONDS = 1.0
THINK_SECONDS_MAX = 0.05
LIMITS = (
    Limit("total_tokens", Window(WindowKind.LIFETIME), 60_000),
    Limit("requests", Window(WindowKind.FIXED, seconds=3), 150),
    Limit("concurrency", Window(WindowKind.LIFETIME), 12),
)


async def create_keys(site: Site) -> list[CreatedKey]:
    return [await site.create_key(*LIMITS, name=f"key {number}") for number in range(KEYS)]


@dataclass(slots=True)
class Load:
    """Workers that make one request after the other until they are told to stop."""

    name: str
    """Begins every id."""
    callers: Callers
    api_key_ids: Sequence[str]
    chance: Random
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    numbers: count[int] = field(default_factory=count)

    async def run(self, workers: int) -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(workers):
                tasks.create_task(self._work())

    async def _work(self) -> None:
        while not self.stopping.is_set():
            await self.chance.choices(_WAYS, _WEIGHTS)[0](self)

    def new_reserve(self, *, lease_seconds: float | None = None) -> Ask:
        # The first key gets half of the requests, the second a quarter, and so on.
        key = next((n for n in range(len(self.api_key_ids)) if self.chance.random() < 0.5), 0)
        return Ask(
            Kind.RESERVE,
            f"{self.name}-{next(self.numbers)}",
            self.api_key_ids[key],
            (("total_tokens", self.chance.randrange(1, 80)),),
            lease_seconds=lease_seconds,
        )

    def finalize_of(self, reserve: Ask) -> Ask:
        """Mostly no more than was held; now and then more."""
        held = dict(reserve.amounts)["total_tokens"]
        used = self.chance.randrange(held + 1) if self.chance.random() < 0.9 else held + self.chance.randrange(40)
        return replace(reserve, kind=Kind.FINALIZE, amounts=(("total_tokens", used),), lease_seconds=None)

    async def think(self) -> None:
        """A served request takes a while."""
        await asyncio.sleep(self.chance.random() * THINK_SECONDS_MAX)

    async def reserved(self, reserve: Ask) -> bool:
        """A caller that does not learn the outcome either fences the id or leaves it to lapse."""
        told = await self.callers.call(reserve)
        if told.reason == UNKNOWN and self.chance.random() < 0.5:
            await self.callers.call(release_of(reserve))
        return not told.reason


def release_of(reserve: Ask) -> Ask:
    return replace(reserve, kind=Kind.RELEASE, amounts=(), lease_seconds=None)


async def _served(load: Load) -> None:
    reserve = load.new_reserve()
    if await load.reserved(reserve):
        await load.think()
        await load.callers.call(load.finalize_of(reserve))


async def _given_back(load: Load) -> None:
    reserve = load.new_reserve()
    if await load.reserved(reserve):
        await load.callers.call(release_of(reserve))


async def _abandoned(load: Load) -> None:
    await load.callers.call(load.new_reserve(lease_seconds=SHORT_LEASE_SECONDS))


async def _renewed(load: Load) -> None:
    reserve = load.new_reserve(lease_seconds=SHORT_LEASE_SECONDS)
    if await load.reserved(reserve):
        for _ in range(3):
            await load.think()
            await load.callers.call(replace(reserve, kind=Kind.RENEW, amounts=()))
        await load.callers.call(load.finalize_of(reserve))


async def _late(load: Load) -> None:
    """Its caller stood still for longer than the lease."""
    reserve = load.new_reserve(lease_seconds=SHORT_LEASE_SECONDS)
    if await load.reserved(reserve):
        await asyncio.sleep(SHORT_LEASE_SECONDS * (0.9 + 0.2 * load.chance.random()))
        await load.callers.call(load.finalize_of(reserve))


async def _everything_twice(load: Load) -> None:
    reserve = load.new_reserve()
    first, second = await asyncio.gather(load.callers.call(reserve), load.callers.call(reserve))
    if not first.reason or not second.reason:
        finalize = load.finalize_of(reserve)
        await asyncio.gather(load.callers.call(finalize), load.callers.call(finalize))


async def _id_used_again(load: Load) -> None:
    reserve = load.new_reserve()
    other = replace(reserve, amounts=(("total_tokens", 99),))
    first, second = await asyncio.gather(load.callers.call(reserve), load.callers.call(other))
    if not first.reason or not second.reason:
        await load.callers.call(load.finalize_of(reserve))


async def _contested(load: Load) -> None:
    reserve = load.new_reserve()
    if await load.reserved(reserve):
        one, two = load.finalize_of(reserve), load.finalize_of(reserve)
        await asyncio.gather(*(load.callers.call(ask) for ask in (one, two, release_of(reserve))))


async def _overtaken(load: Load) -> None:
    """The release may come first."""
    reserve = load.new_reserve()
    await asyncio.gather(load.callers.call(release_of(reserve)), load.callers.call(reserve))


async def _unreserved(load: Load) -> None:
    reserve = load.new_reserve()
    charge = replace(load.finalize_of(reserve), allow_unreserved=True)
    await asyncio.gather(*(load.callers.call(ask) for ask in load.chance.sample([charge, charge, reserve], 3)))


_Way = Callable[[Load], Awaitable[None]]
_SHARES: dict[_Way, int] = {
    _served: 40,
    _given_back: 10,
    _abandoned: 4,
    _renewed: 8,
    _late: 4,
    _everything_twice: 12,
    _id_used_again: 6,
    _contested: 8,
    _overtaken: 4,
    _unreserved: 4,
}
_WAYS, _WEIGHTS = list(_SHARES), list(_SHARES.values())
