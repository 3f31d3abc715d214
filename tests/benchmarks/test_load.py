"""Loads on a daemon: every kind of work does what its numbers say, and copies add up like what they were made from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import asyncpg
import pytest

from benchmarks.ledger.load import TooManyErrors, run
from benchmarks.ledger.seeding import copy_key, copy_settled
from benchmarks.ledger.spec import Driver, KeySet, LoadSpec, Work
from tests.support.daemons import DATA_TOKEN, Daemon, limit, quotad

BRIEF_SECONDS = 0.3
TENANTS = 2


@dataclass(frozen=True, slots=True)
class World:
    """A daemon with four keys in two tenants, and a load on them."""

    daemon: Daemon
    connection: asyncpg.Connection[asyncpg.Record]
    spec: LoadSpec


@asynccontextmanager
async def world(database_url: str, max_value: int = 10**9) -> AsyncIterator[World]:
    keys = KeySet("load-", 4, TENANTS)
    async with quotad(database_url, default_lease_seconds=1.0) as daemon:
        created = await daemon.create_key(limit(max_value=max_value))
        connection = await asyncpg.connect(database_url)
        try:
            await copy_key(connection, created.api_key.api_key_id, keys)
            spec = LoadSpec(Driver.CLIENT, daemon.address, keys, token=DATA_TOKEN, tasks=4)
            yield World(daemon, connection, replace(spec, measured_seconds=BRIEF_SECONDS))
        finally:
            await connection.close()


@pytest.mark.parametrize("driver", [Driver.CLIENT, Driver.UNARY])
async def test_pairs_are_reserved_and_finalized(database_url: str, driver: Driver) -> None:
    async with world(database_url) as here:
        result = await run(replace(here.spec, driver=driver))
        states = await here.connection.fetch("SELECT DISTINCT tenant_id, state FROM quotad.reservations")
    assert result.pairs > 0
    assert result.errors == 0, result.first_error
    assert result.cpu_seconds["client"] > 0
    assert {(row["tenant_id"], row["state"]) for row in states} == {
        ("tenant-0", "finalized"),
        ("tenant-1", "finalized"),
    }


async def test_a_race_counts_what_each_key_admitted(database_url: str) -> None:
    async with world(database_url, max_value=5_000) as here:
        result = await run(replace(here.spec, work=Work.RACE))
    assert result.admitted == (5, 5, 5, 5)


async def test_refused_calls_are_no_errors(database_url: str) -> None:
    async with world(database_url, max_value=10) as here:
        result = await run(replace(here.spec, work=Work.REFUSALS))
    assert (result.pairs, result.errors) == (0, 0)
    assert result.refused == result.operations > 0


async def test_holds_lapse_together_while_pairs_go_on(database_url: str) -> None:
    async with world(database_url) as here:
        lapse = replace(here.spec, work=Work.LAPSE, count=40, lease_seconds=3_600.0, measured_seconds=2.0)
        result = await run(lapse)
        ended = await here.connection.fetchval("SELECT count(*) FROM quotad.reservations WHERE state = 'expired'")
    assert result.pairs > 0
    assert ended > 0


async def test_copies_of_a_settled_reservation_add_up(database_url: str) -> None:
    async with world(database_url) as here:
        await run(replace(here.spec, tasks=1, actual={"requests": 0, "total_tokens": 0}))
        before = await here.connection.fetchval("SELECT count(*) FROM quotad.reservations")
        await copy_settled(here.connection, 7_000)
        after = await here.connection.fetchval("SELECT count(*) FROM quotad.reservations WHERE state = 'finalized'")
    assert after == before + 7_000


async def test_a_contender_that_fails_all_the_time_is_told_with_its_first_error(database_url: str) -> None:
    async with world(database_url) as here:
        with pytest.raises(TooManyErrors, match="UNAUTHENTICATED"):
            await run(replace(here.spec, driver=Driver.UNARY, token="wrong", measured_seconds=10.0))
