"""Everything at once, through two stores on one database: it must add up, and nothing may fail but by a rule."""

import asyncio
import random
from datetime import timedelta

import pytest

from quotad.core.keys import KeyChanges
from quotad.core.operations import Finalize, Release, Renew, Reserve
from quotad.errors import (
    FinalizeMismatch,
    QuotaExceeded,
    RequestExceedsLimit,
    ReservationFenced,
    ReservationIdReused,
    ReservationNotFound,
    ReservationNotOpen,
    Unavailable,
)
from quotad.store import Store, StoreSettings
from quotad.values import Scope, Subject, WindowKind
from tests.quotad.store.conftest import Bench, limit

BY_RULE = (
    FinalizeMismatch,
    QuotaExceeded,
    RequestExceedsLimit,
    ReservationFenced,
    ReservationIdReused,
    ReservationNotFound,
    ReservationNotOpen,
)
LIMITS = (limit(max_value=2000), limit("requests", 30, WindowKind.LIFETIME), limit("input_tokens", 900))


@pytest.mark.parametrize("seed", range(3))
async def test_a_storm_of_everything_conserves(bench: Bench, seed: int) -> None:
    """S1, S11, Q5, B1, B2: duplicates, races, lapses, sweeps and edits on a few ids of two keys."""
    chance = random.Random(seed)
    keys = [(await bench.new_key(*LIMITS))[0].api_key_id for _ in range(2)]
    stores = [bench.store, await Store.open(StoreSettings(bench.database_url, connections=4))]

    async def act(number: int) -> None:
        store = stores[number % 2]
        reservation_id, key = f"r{chance.randrange(60)}", Subject(api_key_id=chance.choice(keys))
        tokens = chance.randrange(200)
        match chance.randrange(10):
            case 0 | 1 | 2 | 3:
                lease = timedelta(seconds=1) if chance.random() < 0.3 else None
                amounts = {"input_tokens": tokens, "output_tokens": 5}
                await store.ledger.reserve(
                    Reserve(reservation_id, key, "m", amounts, min_amounts={"input_tokens": 0}, lease=lease)
                )
            case 4 | 5 | 6:
                await store.ledger.finalize(Finalize(Scope(), reservation_id, {"input_tokens": tokens // 50}))
            case 7:
                await store.ledger.release(Release(Scope(), reservation_id))
            case 8:
                await store.ledger.renew(Renew(Scope(), tuple(f"r{n}" for n in chance.sample(range(60), 5))))
            case _:
                await store.ledger.sweep()
                limits = tuple(chance.sample(LIMITS, 2))
                await store.keys.update("default", key.api_key_id or "", KeyChanges(limits=limits), "")

    outcomes = await asyncio.gather(*(act(number) for number in range(400)), return_exceptions=True)
    await stores[1].close()
    failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert [failure for failure in failures if not isinstance(failure, BY_RULE)] == []
    assert not any(isinstance(failure, Unavailable) for failure in failures)
    assert any(outcome is None for outcome in outcomes)
