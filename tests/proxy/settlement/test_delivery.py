from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from structlog.testing import capture_logs
from uuid_utils import uuid7

from proxy.metering.usage import Usage
from proxy.settlement.decision import Charge, Evidence, Return
from proxy.settlement.delivery import Delivered
from proxy.settlement.owner import SettlementOwner
from quotad.client.types import Basis, ReservationState
from tests.proxy.settlement.ledger import HELD, Ledger, charge, delivering
from tests.support.daemons import quotad
from tests.support.waiting import eventually

FINALIZED = Delivered(ReservationState.FINALIZED)
RELEASED = Delivered(ReservationState.RELEASED)


def unusual(logs: Sequence[Mapping[str, Any]]) -> list[tuple[str, int]]:
    """Settlements that did not end as decided, and what they would have charged."""
    return [(entry["outcome"], entry["amounts"]["total_tokens"]) for entry in logs if "outcome" in entry]


async def test_a_charge_and_a_return_arrive(ledger: Ledger) -> None:
    first, second = await ledger.reserve(), await ledger.reserve()
    assert await ledger.delivery.submit(ledger.pending(first, charge(7))) == FINALIZED
    assert await ledger.delivery.submit(ledger.pending(second, Return("no usage"))) == RELEASED
    assert await ledger.used() == 7


async def test_settling_again_changes_nothing_and_raises_nothing(ledger: Ledger) -> None:
    """S10"""
    charged, returned = await ledger.reserve(), await ledger.reserve()
    for _ in range(2):
        assert await ledger.delivery.submit(ledger.pending(charged, charge(7))) == FINALIZED
        assert await ledger.delivery.submit(ledger.pending(returned, Return(""))) == RELEASED
    assert await ledger.delivery.submit(ledger.pending(charged, Return(""))) == FINALIZED
    with capture_logs() as logs:
        assert await ledger.delivery.submit(ledger.pending(returned, charge(7))) == RELEASED
    assert unusual(logs) == [("released_before", 7)]
    assert await ledger.used() == 7


async def test_other_amounts_are_taken_as_settled_and_logged(ledger: Ledger) -> None:
    """S10"""
    reservation_id = await ledger.reserve()
    await ledger.delivery.submit(ledger.pending(reservation_id, charge(7)))
    with capture_logs() as logs:
        assert await ledger.delivery.submit(ledger.pending(reservation_id, charge(8))) == FINALIZED
    assert unusual(logs) == [("mismatch", 8)]
    assert await ledger.used() == 7


async def test_usage_of_an_id_that_the_ledger_does_not_know_is_charged_unreserved(ledger: Ledger) -> None:
    """B2, B3"""
    reservation_id = str(uuid7())
    assert await ledger.delivery.submit(ledger.pending(reservation_id, charge(7))) == FINALIZED
    reservation = await ledger.read(reservation_id)
    assert (reservation.unreserved, reservation.basis, reservation.model) == (True, Basis.REPORTED, "gpt-5.1")
    held = str(uuid7())
    assert await ledger.delivery.submit(ledger.pending(held, Charge({}, Basis.RESERVED))) == FINALIZED
    assert await ledger.used() == 7 + HELD["total_tokens"]


async def test_a_return_that_overtakes_its_reserve_fences_it(ledger: Ledger) -> None:
    """S7, B3"""
    reservation_id = str(uuid7())
    assert await ledger.delivery.submit(ledger.pending(reservation_id, Return("unanswered"))) == RELEASED
    assert (await ledger.read(reservation_id)).state is ReservationState.RELEASED


async def test_what_the_ledger_refuses_for_good_is_set_aside(ledger: Ledger) -> None:
    reservation_id = await ledger.reserve()
    with capture_logs() as logs:
        assert await ledger.delivery.submit(ledger.pending(reservation_id, charge(-1))) == Delivered(None)
    assert unusual(logs) == [("set_aside", -1)]
    await ledger.delivery.submit(ledger.pending(reservation_id, Return("")))


async def test_an_outage_is_outlasted_with_the_same_id(ledger: Ledger, database_url: str) -> None:
    """S1"""
    reservation_id = await ledger.reserve()
    await ledger.daemon.stop()
    task = ledger.delivery.submit(ledger.pending(reservation_id, charge(7)))
    done, _ = await asyncio.wait((task,), timeout=0.3)
    assert not done
    async with quotad(database_url, listen=ledger.daemon.address):
        assert await task == FINALIZED
        assert await ledger.used() == 7


async def test_a_refused_token_is_tried_again_while_others_pass(ledger: Ledger) -> None:
    reservation_id = await ledger.reserve()
    async with delivering(ledger.daemon.address, "not-a-token-of-the-tests", settle_stop_seconds=0.1) as delivery:
        task = delivery.submit(ledger.pending(reservation_id, charge(7)))
        done, _ = await asyncio.wait((task,), timeout=0.3)
        assert not done
        assert await ledger.delivery.submit(ledger.pending(reservation_id, charge(7))) == FINALIZED
    assert task.cancelled()


async def test_stopping_waits_for_delivery_and_logs_what_is_left(ledger: Ledger) -> None:
    reservation_id = await ledger.reserve()
    async with delivering(ledger.daemon.address) as delivery:
        in_time = delivery.submit(ledger.pending(reservation_id, charge(7)))
    assert in_time.result() == FINALIZED
    await ledger.daemon.stop()
    with capture_logs() as logs:
        async with delivering(ledger.daemon.address, settle_stop_seconds=0.1) as delivery:
            delivery.submit(ledger.pending(str(uuid7()), charge(8)))
    assert unusual(logs) == [("undelivered", 8)]


async def test_undelivered_settlements_are_bounded(ledger: Ledger) -> None:
    async with delivering(ledger.daemon.address, settlements_max=1) as delivery:
        task = delivery.submit(ledger.pending(await ledger.reserve(), charge(1)))
        assert delivery.is_full
        await task
        await eventually(lambda: not delivery.is_full)


async def test_an_owner_decides_once(ledger: Ledger) -> None:
    """S1: what is decided is only repeated, never turned into a release."""
    owner = SettlementOwner(ledger.delivery, ledger.claim(await ledger.reserve()), wait_seconds=5)
    owner.settle(Evidence(reports=[Usage(1, 2, 3)]))
    owner.settle(Evidence())
    owner.settle(Evidence(reports=[Usage(10, 20, 30)]))
    await owner.acknowledged()
    assert (owner.state, owner.basis) == (ReservationState.FINALIZED, "reported")
    assert await ledger.used() == 3


async def test_an_owner_waits_only_so_long(ledger: Ledger) -> None:
    owner = SettlementOwner(ledger.delivery, ledger.claim(await ledger.reserve()), wait_seconds=0.1)
    async with ledger.daemon.windows_locked():
        owner.settle(Evidence(reports=[Usage(1, 2, 3)]))
        await owner.acknowledged()
        assert owner.state is None
    await eventually(lambda: owner.state is ReservationState.FINALIZED)
