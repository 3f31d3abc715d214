"""Whatever befalls daemons, database and network: nothing is lost, nothing is charged twice, nothing stays held."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from random import Random

import pytest

from quotad.client.quota_client import QuotaClient
from quotad.errors import ReservationNotFound
from quotad.values import Reservation, Scope
from tests.faults.befalling import BEYOND_NAMED_POINTS, FAULTS
from tests.faults.callers import Callers, callers
from tests.faults.check import Outcome, WindowId, faults_of
from tests.faults.load import LIMITS, Load, create_keys
from tests.faults.site import Site, clock_off_by, site
from tests.support.daemons import DATA_TOKEN
from tests.support.extent import Extent

WORKERS = 24
LONG_FAULTS = 60
LONG_STORMS = 3
CLOCK_OFF_SECONDS = 3 * 86400.0

pytestmark = pytest.mark.timeout(3600)


async def test_a_storm_of_faults_loses_nothing_and_charges_nothing_twice(extent: Extent) -> None:
    """The clock of one daemon is three days wrong all the while: the database's decides."""
    for seed in range(extent.pick(1, LONG_STORMS)):
        chance = Random(seed)
        with site(clock_off_by(chance.choice([-1, 1]) * CLOCK_OFF_SECONDS)) as stormy:
            await _storm(stormy, seed, chance, extent)


async def _storm(at: Site, seed: int, chance: Random, extent: Extent) -> None:
    once = extent.pick(BEYOND_NAMED_POINTS, FAULTS)
    befallen = [*chance.sample(once, len(once)), *chance.choices(FAULTS, k=extent.pick(0, LONG_FAULTS))]
    keys = [key.api_key.api_key_id for key in await create_keys(at)]
    async with callers(at.addresses, chance) as everybody:
        load = Load(f"storm{seed}", everybody, keys, chance)
        running = asyncio.create_task(load.run(WORKERS))
        try:
            for fault in befallen:
                await fault(at, chance)
        finally:
            load.stopping.set()
            await running
        repeated = await everybody.resolve()
    await at.nothing_is_held()
    found = faults_of(everybody.history.by_id(), await outcome_of(at, everybody))
    assert found == [], "\n".join(found[:20])
    await at.assert_sound()
    extent.note(f"{len(befallen)} faults, {len(everybody.history.calls)} calls, {repeated} asked again")
    extent.note(", ".join(f"{name} {number}" for name, number in everybody.history.count().items()))


async def outcome_of(at: Site, everybody: Callers) -> Outcome:
    calls = everybody.history.by_id()
    keys = {its[0].ask.reservation_id: its[0].ask.api_key_id for its in calls.values()}
    async with at.database() as connection:
        rows = await connection.fetch("SELECT limit_id::text, window_start, held, used FROM quotad.windows")
        maximums = await connection.fetch("SELECT limit_id::text, max_value FROM quotad.limits")
    windows: dict[WindowId, tuple[int, int]] = {
        (row["limit_id"], row["window_start"].timestamp()): (row["held"], row["used"]) for row in rows
    }
    return Outcome(
        await _reservations(at, keys),
        windows,
        {row["limit_id"]: row["max_value"] for row in maximums},
        len(LIMITS),
    )


async def _reservations(at: Site, keys: Mapping[str, str]) -> dict[str, Reservation]:
    """What each id ended as, as the other daemon tells it."""
    async with QuotaClient(at.b.address, DATA_TOKEN) as client:

        async def read(some: Sequence[str]) -> list[Reservation]:
            found = []
            for reservation_id in some:
                try:
                    scope = Scope(api_key_id=keys[reservation_id])
                    found.append(await client.get_reservation(reservation_id, scope=scope))
                except ReservationNotFound:
                    continue
            return found

        ids = list(keys)
        parts = await asyncio.gather(*(read(ids[number::8]) for number in range(8)))
    return {reservation.reservation_id: reservation for part in parts for reservation in part}
