"""The baseline keeps what it is compared for: it is exact, recognises repeats and charges once."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from tests.benchmarks.world import Baseline
from tests.support.waiting import eventually

SHORT = timedelta(milliseconds=50)


async def test_a_race_admits_exactly_what_fits(baseline: Baseline) -> None:
    outcomes = await asyncio.gather(*(baseline.reserve(f"r{n}", 100) for n in range(64)))
    assert outcomes.count("reserved") == 10
    assert outcomes.count(None) == 54
    assert await baseline.tokens() == (1_000, 0)


async def test_a_refusal_leaves_nothing_behind(baseline: Baseline) -> None:
    await baseline.reserve("r1", 1_000)
    assert await baseline.reserve("r2", 1) is None
    assert await baseline.connection.fetchval("SELECT count(*) FROM baseline.reservations") == 1
    assert await baseline.connection.fetchval("SELECT held FROM baseline.windows WHERE limit_id = 0") == 1


async def test_a_repeated_reserve_holds_once(baseline: Baseline) -> None:
    outcomes = await asyncio.gather(*(baseline.reserve("r1", 100) for _ in range(8)))
    assert sorted(map(str, outcomes)) == ["replayed"] * 7 + ["reserved"]
    assert await baseline.tokens() == (100, 0)


async def test_an_id_stands_for_one_request(baseline: Baseline) -> None:
    await baseline.reserve("r1", 100)
    assert await baseline.reserve("r1", 200) == "reused"
    await baseline.finalize("r1", 100)
    assert await baseline.reserve("r1", 100) == "not open"


async def test_finalize_charges_once_and_gives_the_rest_back(baseline: Baseline) -> None:
    await baseline.reserve("r1", 100)
    outcomes = await asyncio.gather(*(baseline.finalize("r1", 70) for _ in range(8)))
    assert sorted(outcomes) == ["finalized"] + ["replayed"] * 7
    assert await baseline.finalize("r1", 71) == "mismatch"
    assert await baseline.tokens() == (0, 70)


async def test_finalize_of_an_unknown_id_says_so(baseline: Baseline) -> None:
    assert await baseline.finalize("never", 1) == "unknown"


async def test_a_lapsed_hold_makes_room_and_its_usage_is_charged_late(baseline: Baseline) -> None:
    await baseline.reserve("r1", 1_000, SHORT)
    await eventually(lambda: baseline.reserve("r2", 600))
    assert await baseline.tokens() == (600, 0)
    assert await baseline.finalize("r1", 500) == "finalized"
    assert await baseline.tokens() == (600, 500)


async def test_renew_makes_a_lease_longer_and_never_revives_it(baseline: Baseline) -> None:
    await baseline.reserve("r1", 1)
    [renewed] = await baseline.store.renew("default", ["r1"], timedelta(hours=1))
    assert renewed["expire_time"] - renewed["create_time"] > timedelta(minutes=59)
    await baseline.connection.execute("UPDATE baseline.reservations SET expire_time = clock_timestamp()")
    assert await baseline.store.renew("default", ["r1"], timedelta(hours=1)) == []
