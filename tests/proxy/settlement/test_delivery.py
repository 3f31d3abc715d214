from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from structlog.testing import capture_logs
from uuid_utils import uuid7

from proxy.config import ProxySettings
from proxy.metering.usage import Usage
from proxy.settlement.decision import Charge, Evidence, Return
from proxy.settlement.delivery import Delivered
from proxy.settlement.messages import entry_of
from proxy.settlement.outbox import Outbox
from proxy.settlement.owner import SettlementOwner
from quotad.client.types import Basis, ReservationState
from servicekit.journal import Entry
from tests.proxy.settlement.ledger import HELD, Ledger, charge, delivering, kept
from tests.support.daemons import quotad
from tests.support.waiting import eventually

FINALIZED = Delivered(ReservationState.FINALIZED)
RELEASED = Delivered(ReservationState.RELEASED)
ESTIMATE = Charge(HELD, Basis.ESTIMATED)


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
    async with delivering(
        ledger.daemon.address, ledger.outbox_dir, "not-a-token-of-the-tests", settle_stop_seconds=0.1
    ) as delivery:
        task = delivery.submit(ledger.pending(reservation_id, charge(7)))
        done, _ = await asyncio.wait((task,), timeout=0.3)
        assert not done
        assert await ledger.delivery.submit(ledger.pending(reservation_id, charge(7))) == FINALIZED
    assert task.cancelled()


async def test_stopping_waits_for_delivery_and_logs_what_nobody_could_keep(ledger: Ledger) -> None:
    reservation_id = await ledger.reserve()
    async with delivering(ledger.daemon.address, ledger.outbox_dir) as delivery:
        in_time = delivery.submit(ledger.pending(reservation_id, charge(7)))
    assert in_time.result() == FINALIZED
    await ledger.daemon.stop()
    (ledger.outbox_dir.parent / "file").touch()
    with capture_logs() as logs:
        nowhere = ledger.outbox_dir.parent / "file" / "outbox"
        async with delivering(ledger.daemon.address, nowhere, settle_stop_seconds=0.1) as delivery:
            delivery.submit(ledger.pending(str(uuid7()), charge(8)))
    assert unusual(logs) == [("undelivered", 8)]


async def test_undelivered_settlements_are_bounded(ledger: Ledger) -> None:
    async with delivering(ledger.daemon.address, ledger.outbox_dir, settlements_max=1) as delivery:
        task = delivery.submit(ledger.pending(await ledger.reserve(), charge(1)))
        assert delivery.is_full
        await task
        await eventually(lambda: not delivery.is_full)


async def test_an_owner_decides_once(ledger: Ledger) -> None:
    """S1: what is decided is only repeated, never turned into a release."""
    owner = SettlementOwner(ledger.delivery, ledger.claim(await ledger.reserve()))
    owner.settle(Evidence(reports=[Usage(1, 2, 3)]))
    owner.settle(Evidence())
    owner.settle(Evidence(reports=[Usage(10, 20, 30)]))
    await owner.safe()
    assert (owner.state, owner.basis) == (ReservationState.FINALIZED, "reported")
    assert await ledger.used() == 3


async def test_a_settlement_without_an_answer_is_safe_on_the_disk_meanwhile(ledger: Ledger) -> None:
    async with delivering(ledger.daemon.address, ledger.outbox_dir, settle_wait_seconds=0.1) as delivery:
        owner = SettlementOwner(delivery, ledger.claim(await ledger.reserve()))
        async with ledger.daemon.windows_locked():
            owner.settle(Evidence(reports=[Usage(1, 2, 3)]))
            await owner.safe()
            assert owner.state is None
            assert list(kept(ledger.outbox_dir)) == [owner.reservation_id]
        await eventually(lambda: owner.state is ReservationState.FINALIZED)
        await eventually(lambda: not kept(ledger.outbox_dir))


async def test_a_settlement_of_a_dead_worker_is_delivered_once_by_another(ledger: Ledger, database_url: str) -> None:
    """B5"""
    reservation_id = await ledger.reserve()
    await ledger.daemon.stop()
    async with delivering(ledger.daemon.address, ledger.outbox_dir, settle_stop_seconds=0.1) as dead:
        await dead.safe(dead.submit(ledger.pending(reservation_id, charge(7))))
        assert list(kept(ledger.outbox_dir)) == [reservation_id]
    assert list(kept(ledger.outbox_dir)) == [reservation_id]
    async with quotad(database_url, listen=ledger.daemon.address):
        await eventually(lambda: not kept(ledger.outbox_dir))
        assert await ledger.used() == 7
        assert (await ledger.read(reservation_id)).basis is Basis.REPORTED


async def test_what_is_delivered_at_once_never_touches_the_disk(ledger: Ledger) -> None:
    await ledger.delivery.submit(ledger.pending(await ledger.reserve(), charge(7)))
    assert not list(ledger.outbox_dir.rglob("*.journal"))


async def test_a_first_try_in_vain_puts_the_settlement_on_the_disk_at_once(ledger: Ledger) -> None:
    """B5: however long a caller would wait."""
    async with delivering(
        ledger.daemon.address,
        ledger.outbox_dir,
        "not-a-token-of-the-tests",
        settle_stop_seconds=0.1,
        settle_wait_seconds=60.0,
    ) as delivery:
        reservation_id = await ledger.reserve()
        await delivery.safe(delivery.submit(ledger.pending(reservation_id, charge(7))))
        assert list(kept(ledger.outbox_dir)) == [reservation_id]
    await eventually(lambda: not kept(ledger.outbox_dir))
    assert await ledger.used() == 7


async def test_what_is_set_aside_waits_in_a_file_for_the_operator(ledger: Ledger) -> None:
    reservation_id = await ledger.reserve()
    await ledger.delivery.submit(ledger.pending(reservation_id, charge(-1)))
    [path] = list((ledger.outbox_dir / "set-aside").iterdir())
    [line] = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert (line["reservation_id"], line["charge"]["total_tokens"]) == (reservation_id, -1)
    await ledger.delivery.submit(ledger.pending(reservation_id, Return("")))


async def test_usage_that_is_too_old_for_the_ledger_is_set_aside(ledger: Ledger) -> None:
    old = replace(ledger.pending(str(uuid7()), charge(7)), start_time=datetime.now(UTC) - timedelta(days=6, hours=1))
    with capture_logs() as logs:
        assert await ledger.delivery.submit(old) == Delivered(None)
    assert unusual(logs) == [("set_aside", 7)]
    assert await ledger.used() == 0


async def test_a_settlement_is_not_repeated_when_the_ledger_may_have_forgotten_it(ledger: Ledger) -> None:
    """B5: a repeat after the horizon might be charged anew."""
    reservation_id = await ledger.reserve()
    late = replace(ledger.pending(reservation_id, charge(7)), decide_time=datetime.now(UTC) - timedelta(days=6))
    with capture_logs() as logs:
        assert await ledger.delivery.submit(late) == Delivered(None)
    assert unusual(logs) == [("expired", 7)]
    assert await ledger.used() == 0
    await ledger.delivery.submit(ledger.pending(reservation_id, Return("")))


async def test_what_nobody_could_read_is_set_aside_and_the_rest_delivered(ledger: Ledger) -> None:
    """B5: no crash loop."""
    reservation_id = await ledger.reserve()
    outbox = Outbox(ProxySettings(outbox_dir=ledger.outbox_dir))
    await outbox.put(Entry("odd", 1.0, {"kind": "of a later version"}))
    await outbox.put(entry_of(ledger.pending(reservation_id, charge(7))))
    await outbox.close()
    await eventually(lambda: not kept(ledger.outbox_dir))
    assert await ledger.used() == 7
    [path] = list((ledger.outbox_dir / "set-aside").iterdir())
    assert json.loads(path.read_text("utf-8"))["reservation_id"] == "odd"


async def test_many_settlements_of_a_dead_worker_leave_room_for_ones_own(ledger: Ledger) -> None:
    ids = [await ledger.reserve() for _ in range(9)]
    async with delivering(ledger.daemon.address, ledger.outbox_dir, settlements_max=4) as delivery:
        outbox = Outbox(ProxySettings(outbox_dir=ledger.outbox_dir))
        for reservation_id in ids:
            await outbox.put(entry_of(ledger.pending(reservation_id, charge(1))))
        await outbox.close()
        await eventually(lambda: not kept(ledger.outbox_dir))
        assert not delivery.is_full
    assert await ledger.used() == 9


async def test_an_intent_is_charged_only_if_its_worker_dies(ledger: Ledger) -> None:
    """B5"""
    served, died = str(uuid7()), str(uuid7())
    intents = {name: replace(ledger.pending(name, ESTIMATE), unreserved=True) for name in (served, died)}
    async with delivering(ledger.daemon.address, ledger.outbox_dir) as delivery:
        for intent in intents.values():
            await delivery.intend(intent)
        assert len(kept(ledger.outbox_dir)) == 2
        await delivery.submit(replace(intents[served], decision=charge(7)))
        await eventually(lambda: list(kept(ledger.outbox_dir)) == [died])
        assert await ledger.used() == 7
    await eventually(lambda: not kept(ledger.outbox_dir))
    assert await ledger.used() == 7 + HELD["total_tokens"]
    assert [(await ledger.read(name)).basis for name in (served, died)] == [Basis.REPORTED, Basis.ESTIMATED]
    assert (await ledger.read(served)).unreserved


async def test_a_request_that_was_served_nothing_is_not_charged_for_its_intent(ledger: Ledger) -> None:
    name = str(uuid7())
    async with delivering(ledger.daemon.address, ledger.outbox_dir) as delivery:
        intent = replace(ledger.pending(name, ESTIMATE), unreserved=True)
        await delivery.intend(intent)
        assert await delivery.submit(replace(intent, decision=Return("no account"))) == RELEASED
        await eventually(lambda: not kept(ledger.outbox_dir))
    assert await ledger.used() == 0
