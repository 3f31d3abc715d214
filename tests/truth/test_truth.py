"""What the upstream reported is what is charged, to the token, whoever leaves and whatever is killed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from random import Random

import pytest

from quotad.client.types import Limit
from tests.support.daemons import limit
from tests.support.extent import Extent
from tests.truth.crowd import Crowd
from tests.truth.site import Site, site
from tests.truth.truth import Kill, compare, read_book, read_charges

CALLERS = 16
ACCOUNTS = (
    ("first", "--api-key", "key-of-first"),
    ("second", "--api-key", "key-of-second"),
    ("third", "--access-token", "token-of-third", "--refresh-token", "refresh-of-third"),
    ("fourth", "--access-token", "token-of-fourth", "--refresh-token", "refresh-of-fourth"),
)
AMPLE = 10**12
TIGHT_REQUESTS = 500
"""One key is used up in the long form: its refusals must cost nothing."""
PAUSE_SECONDS = (0.2, 1.5)
LONG_FAULTS = 100

Fault = Callable[[Site, Random, list[Kill]], Awaitable[None]]

pytestmark = pytest.mark.timeout(3_600)


async def test_charged_is_what_the_upstream_reported(extent: Extent) -> None:
    """S1, S12, S13, B1, B2, B4, B5, B10: with proxies, daemons and Postgres killed on the way."""
    chance = Random(11)
    with site(ACCOUNTS, {}) as here:
        keys = [await here.create_key("ample", *ample()), await here.create_key("tight", *ample(TIGHT_REQUESTS))]
        crowd = Crowd(here, keys, chance)
        kills: list[Kill] = []
        running = asyncio.create_task(crowd.run(CALLERS))
        try:
            once = extent.pick(KILLS, FAULTS)
            for fault in (*chance.sample(once, len(once)), *chance.choices(FAULTS, k=extent.pick(0, LONG_FAULTS))):
                await fault(here, chance, kills)
                await asyncio.wait((running,), timeout=chance.uniform(*PAUSE_SECONDS))
        finally:
            crowd.stopping.set()
            await running
        await here.nothing_is_held()
        found = compare(crowd.seen, await read_book(here), await read_charges(here), kills)
        extent.note(f"{len(crowd.seen)} requests, {found.compared} of them compared to the token")
        extent.note(
            f"{found.in_flight_of_a_killed_proxy} in flight in a killed proxy, of which {len(kills)} were killed"
        )
        assert found.wrong == (), "\n".join(found.wrong[:20])
        await here.assert_sound()
        await here.http.aclose()


def ample(requests: int = AMPLE) -> tuple[Limit, ...]:
    return limit("total_tokens", AMPLE), limit("requests", requests)


async def a_proxy_is_killed(here: Site, chance: Random, kills: list[Kill]) -> None:
    number = chance.randrange(len(here.proxies))
    kills.append((number, time.monotonic()))
    await here.proxies[number].killed_and_started()


async def a_proxy_is_stopped(here: Site, chance: Random, kills: list[Kill]) -> None:
    await chance.choice(here.proxies).stopped_and_started()


async def a_daemon_is_killed(here: Site, chance: Random, kills: list[Kill]) -> None:
    await chance.choice(here.daemons).killed_and_started()


async def both_daemons_are_killed(here: Site, chance: Random, kills: list[Kill]) -> None:
    for daemon in here.daemons:
        daemon.kill()
    for daemon in here.daemons:
        daemon.start()
    for daemon in here.daemons:
        await daemon.ready()


async def the_database_is_stopped_immediately(here: Site, chance: Random, kills: list[Kill]) -> None:
    await asyncio.to_thread(here.postgres.stop_immediately)
    await asyncio.to_thread(here.postgres.start)


async def tokens_expire(here: Site, chance: Random, kills: list[Kill]) -> None:
    await here.misbehave("expired_token", "expired_token")


async def accounts_hit_limits(here: Site, chance: Random, kills: list[Kill]) -> None:
    await here.misbehave("429;kind=rate;retry-after=1", "429;kind=quota;retry-after=1", "500", "cut;after=2")


KILLS: tuple[Fault, ...] = (
    a_proxy_is_killed,
    both_daemons_are_killed,
    the_database_is_stopped_immediately,
    accounts_hit_limits,
)
FAULTS: tuple[Fault, ...] = (*KILLS, a_proxy_is_stopped, a_daemon_is_killed, tokens_expire)
