"""64 clients race for the last slots of a limit through two daemons: what is admitted is exactly what fits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random

import pytest

from quotad.client.quota_client import QuotaClient
from quotad.client.types import CreatedKey
from quotad.errors import QuotaExceeded
from quotad.values import Limit, LimitsView, Scope, Window, WindowKind
from tests.faults.site import site
from tests.support.daemons import DATA_TOKEN, quotad
from tests.support.extent import Extent

CLIENTS = 64
MAX = 1000

pytestmark = pytest.mark.timeout(1800)


LIMITS = (
    Limit("total_tokens", Window(WindowKind.LIFETIME), MAX),
    Limit("requests", Window(WindowKind.LIFETIME), 10**9),
)


@asynccontextmanager
async def racing_clients(database_url: str, extent: Extent) -> AsyncIterator[tuple[list[QuotaClient], CreatedKey]]:
    """Of two daemons in this process, or, in the long form, of two processes on a durable database."""
    async with AsyncExitStack() as ending:
        if extent.is_long:
            raced = ending.enter_context(site())
            addresses, key = (raced.a.address, raced.b.address), await raced.create_key(*LIMITS)
        else:
            one, two = [await ending.enter_async_context(quotad(database_url)) for _ in range(2)]
            addresses, key = (one.address, two.address), await one.create_key(*LIMITS)
        clients = [QuotaClient(addresses[number % 2], DATA_TOKEN) for number in range(CLIENTS)]
        for client in clients:
            await ending.enter_async_context(client)
        yield clients, key


async def test_what_is_admitted_is_exactly_what_fits(database_url: str, extent: Extent) -> None:
    """Q1, Q5. Nothing is given back during a race: whoever was refused does not fit after it either."""
    chance, admitted = Random(7), 0
    rounds = extent.pick(30, 1000)
    async with racing_clients(database_url, extent) as (clients, key):
        for number in range(rounds):
            amounts = _amounts(chance)
            racing = [
                _admitted(client, f"race-{number}-{place}", key.secret, amount)
                for place, (client, amount) in enumerate(zip(clients, amounts, strict=True))
            ]
            results = await asyncio.gather(*racing)
            held = sum(amount for amount, ok in zip(amounts, results, strict=True) if ok)
            least_refused = min(
                [amount for amount, ok in zip(amounts, results, strict=True) if not ok], default=MAX + 1
            )
            assert held <= MAX < held + least_refused
            assert await _held(clients[0], key.secret) == held
            admitted += sum(results)
            await _give_back(clients, number, results, key.api_key.api_key_id)
            assert await _held(clients[0], key.secret) == 0
    extent.note(f"{rounds} rounds of {CLIENTS} clients, {admitted} admitted")


def _amounts(chance: Random) -> list[int]:
    """All the same, so that a known number fits, or each another."""
    if chance.random() < 0.5:
        return [chance.choice([1000, 500, 333, 100, 20])] * CLIENTS
    return [chance.randint(1, 300) for _ in range(CLIENTS)]


async def _admitted(client: QuotaClient, reservation_id: str, secret: str, amount: int) -> bool:
    try:
        await client.reserve(
            reservation_id,
            api_key=secret,
            model="m",
            amounts={"total_tokens": amount},
            lease_seconds=600,
            limits_view=LimitsView.NONE,
        )
    except QuotaExceeded:
        return False
    return True


async def _held(client: QuotaClient, secret: str) -> int:
    described = await client.describe_key(api_key=secret)
    return described.limits[0].held


async def _give_back(clients: Sequence[QuotaClient], number: int, results: Sequence[bool], api_key_id: str) -> None:
    scope = Scope(api_key_id=api_key_id)
    releases = [clients[place].release(f"race-{number}-{place}", scope=scope) for place, ok in enumerate(results) if ok]
    await asyncio.gather(*releases)
