"""Several operations in one message: their order, and how little they have to do with each other."""

from __future__ import annotations

import uuid
from collections import Counter

import pytest

from quotad.client.types import Grant, Settlement
from quotad.errors import (
    ApiKeyUnknown,
    FinalizeMismatch,
    InvalidRequest,
    QuotaError,
    QuotaExceeded,
    RequestExceedsLimit,
    ReservationFenced,
    ReservationIdReused,
    ReservationNotFound,
    ReservationNotOpen,
)
from quotad.values import ReservationState, Subject
from tests.quotad.conformance.ledger import Key, Ledger, lifetime, limit
from tests.quotad.conformance.transport import Messages, Operation, Outcome

MANY = 300


def kinds(outcomes: list[Outcome]) -> list[type]:
    return [type(outcome) for outcome in outcomes]


@pytest.fixture
def transport(messages: Messages) -> Messages:
    """Here `ledger` speaks in messages."""
    return messages


async def test_operations_on_one_id_take_effect_in_the_order_given(ledger: Ledger, messages: Messages) -> None:
    key = await ledger.key()
    outcomes = await messages.together(
        [
            key.reserving("r", 60),
            key.reserving("r", 60),
            key.finalizing("r", 25),
            key.finalizing("r", 25),
            key.finalizing("r", 26),
            key.releasing("r"),
            key.reserving("r", 60),
        ]
    )
    assert kinds(outcomes) == [
        Grant,
        Grant,
        Settlement,
        Settlement,
        FinalizeMismatch,
        Settlement,
        ReservationNotOpen,
    ]
    told = [
        (outcome.replayed if isinstance(outcome, Grant) else outcome.changed)
        for outcome in outcomes
        if not isinstance(outcome, QuotaError)
    ]
    assert told == [False, True, True, False, False]
    assert await key.counters() == [(25, 0)]


async def test_a_release_before_its_reserve_in_one_message_fences_it(ledger: Ledger, messages: Messages) -> None:
    key = await ledger.key()
    outcomes = await messages.together([key.releasing("r"), key.reserving("r"), key.finalizing("r", 5)])
    assert kinds(outcomes) == [Settlement, ReservationFenced, Settlement]
    assert await key.counters() == [(0, 0)]


async def test_a_finalize_before_its_reserve_in_one_message_finds_nothing(ledger: Ledger, messages: Messages) -> None:
    key = await ledger.key()
    outcomes = await messages.together([key.finalizing("r", 5), key.reserving("r")])
    assert kinds(outcomes) == [ReservationNotFound, Grant]
    assert await key.counters() == [(0, 10)]


async def test_a_refused_reserve_can_ask_for_less_in_the_same_message(ledger: Ledger, messages: Messages) -> None:
    key = await ledger.key()
    outcomes = await messages.together([key.reserving("r", 101), key.reserving("r", 60), key.reserving("r", 60)])
    assert kinds(outcomes) == [RequestExceedsLimit, Grant, Grant]
    assert await key.counters() == [(0, 60)]


async def test_a_message_is_given_no_more_room_than_there_is(ledger: Ledger, messages: Messages) -> None:
    """Between ids there is no order: which of them are refused is not said."""
    key = await ledger.key()
    outcomes = await messages.together([key.reserving(f"r{n}", 30) for n in range(5)])
    assert Counter(kinds(outcomes)) == {Grant: 3, QuotaExceeded: 2}
    assert await key.counters() == [(0, 90)]


async def test_an_id_that_gave_its_room_back_is_not_in_the_way_of_its_message(
    ledger: Ledger, messages: Messages
) -> None:
    key = await ledger.key(lifetime("concurrency", 1))
    outcomes = await messages.together(
        [
            *(key.reserving("a"), key.finalizing("a", 5), key.reserving("a")),
            *(key.reserving("b"), key.releasing("b"), key.reserving("b")),
        ]
    )
    assert kinds(outcomes) == [Grant, Settlement, ReservationNotOpen, Grant, Settlement, ReservationFenced]
    assert await key.counters() == [(0, 0)]


async def test_a_lapsed_hold_refuses_nobody_in_a_message_either(ledger: Ledger, messages: Messages) -> None:
    key = await ledger.key()
    await key.reserve("lapsed", 100)
    await key.lapse("lapsed")
    outcomes = await messages.together([key.reserving("a", 60), key.finalizing("a", 60), key.reserving("b", 40)])
    assert kinds(outcomes) == [Grant, Settlement, Grant]
    assert await key.counters() == [(60, 40)]


async def test_clipped_grants_share_what_is_left(ledger: Ledger, messages: Messages) -> None:
    key = await ledger.key()
    outcomes = await messages.together([key.reserving(f"r{n}", 60, min_amounts={"total_tokens": 30}) for n in range(3)])
    granted = [outcome.reservation.reserved["total_tokens"] for outcome in outcomes if isinstance(outcome, Grant)]
    assert sorted(granted) == [40, 60]
    assert Counter(kinds(outcomes)) == {Grant: 2, QuotaExceeded: 1}


async def test_operations_that_fail_harm_no_neighbour(ledger: Ledger, messages: Messages) -> None:
    key = await ledger.key()
    await key.reserve("known", 10)
    operations: list[Operation] = [
        key.reserving("a", 10),
        key.reserving("bad", 10**13),
        key.reserving("b", 10, subject=Subject(api_key="sk-quota-wrong")),
        key.reserving("c", 10, model="m" * 300),
        key.reserving("never", 101),
        key.reserving("known", 11),
        key.reserving("d", {"pages": 1}),
        key.reserving("e", 10),
    ]
    outcomes = await messages.together(operations)
    assert kinds(outcomes) == [
        Grant,
        InvalidRequest,
        ApiKeyUnknown,
        InvalidRequest,
        RequestExceedsLimit,
        ReservationIdReused,
        InvalidRequest,
        Grant,
    ]
    assert await key.counters() == [(0, 30)]


async def test_keys_and_tenants_share_a_message_and_nothing_else(ledger: Ledger, messages: Messages) -> None:
    keys = [await ledger.key(tenant_id=tenant) for tenant in ("default", "default", f"tenant-{uuid.uuid4().hex}")]
    for key in keys[1:]:
        key.prefix = keys[0].prefix
    outcomes = await messages.together([key.reserving("r", 60) for key in keys])
    assert kinds(outcomes) == [Grant, ReservationIdReused, Grant]
    outcomes = await messages.together([key.finalizing("r", 20 + n) for n, key in enumerate(keys)])
    assert kinds(outcomes) == [Settlement, FinalizeMismatch, Settlement]
    assert [await key.counters() for key in keys] == [[(20, 0)], [(0, 0)], [(22, 0)]]


async def test_a_message_of_many_operations_is_answered_one_by_one(ledger: Ledger, messages: Messages) -> None:
    key = await ledger.key(limit("requests", MANY // 2))
    outcomes = await messages.together([key.reserving(f"r{n}", {}) for n in range(MANY)])
    assert Counter(kinds(outcomes)) == {Grant: MANY // 2, QuotaExceeded: MANY // 2}
    settled = await messages.together([key.finalizing(f"r{n}") for n in range(MANY)])
    was_granted = [isinstance(outcome, Grant) for outcome in outcomes]
    assert [isinstance(outcome, Settlement) for outcome in settled] == was_granted
    assert await key.counters() == [(MANY // 2, 0)]


async def test_what_a_message_did_is_what_stands(ledger: Ledger, messages: Messages) -> None:
    key: Key = await ledger.key()
    grant, settlement = await messages.together([key.reserving("r", 60), key.finalizing("r", 25)])
    assert isinstance(grant, Grant)
    assert isinstance(settlement, Settlement)
    assert grant.reservation.state is ReservationState.RESERVED
    assert await key.read("r") == settlement.reservation
