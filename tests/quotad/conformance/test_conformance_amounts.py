"""Which amounts count, at Reserve and at Finalize, and the bounds of what a caller may send."""

from __future__ import annotations

import pytest

from quotad.errors import FinalizeMismatch, InvalidRequest, QuotaExceeded
from quotad.values import Basis
from tests.quotad.conformance.ledger import Ledger, lifetime, limit

AMOUNT_MAX = 10**12


async def test_a_request_counts_one_request_and_the_total_of_its_tokens(ledger: Ledger) -> None:
    key = await ledger.key()
    both = (await key.reserve("a", {"input_tokens": 20, "output_tokens": 40})).reservation
    assert both.requested == {
        "requests": 1,
        "concurrency": 1,
        "input_tokens": 20,
        "output_tokens": 40,
        "total_tokens": 60,
    }
    one = (await key.reserve("b", {"output_tokens": 7})).reservation
    assert one.requested["total_tokens"] == 7
    named = (await key.reserve("c", {"output_tokens": 7, "total_tokens": 9, "requests": 3})).reservation
    assert (named.requested["total_tokens"], named.requested["requests"]) == (9, 3)


async def test_a_metric_that_a_limit_counts_is_never_skipped(ledger: Ledger) -> None:
    key = await ledger.key(limit(), limit("cost_microusd"), limit("pages"))
    with pytest.raises(InvalidRequest) as refusal:
        await key.reserve("r", {"total_tokens": 1, "pages": 1})
    assert refusal.value.field == "amounts.cost_microusd"
    assert await key.counters() == [(0, 0)] * 3


async def test_every_matching_limit_has_its_hold_also_of_nothing(ledger: Ledger) -> None:
    key = await ledger.key(limit(), limit("requests", 5), limit("pages", 5))
    reservation = (await key.reserve("r", {"total_tokens": 0, "pages": 0})).reservation
    assert [(hold.metric, hold.held) for hold in reservation.holds] == [
        ("total_tokens", 0),
        ("requests", 1),
        ("pages", 0),
    ]


async def test_any_name_of_the_right_form_is_a_metric(ledger: Ledger) -> None:
    name = "m" + "0_" * 31
    key = await ledger.key(limit(name, 5))
    await key.reserve("r", {name: 5})
    assert await key.counters() == [(0, 5)]


@pytest.mark.parametrize(
    ("amounts", "field"),
    [
        ({"total_tokens": -1}, "amounts.total_tokens"),
        ({"total_tokens": AMOUNT_MAX + 1}, "amounts.total_tokens"),
        ({"Total": 1}, "amounts"),
        ({"m" * 64: 1}, "amounts"),
        ({"concurrency": 0}, "amounts.concurrency"),
        ({"concurrency": 2}, "amounts.concurrency"),
        ({f"m{n}": 1 for n in range(17)}, "amounts"),
    ],
)
async def test_a_wrong_amount_is_named_and_holds_nothing(ledger: Ledger, amounts: dict[str, int], field: str) -> None:
    key = await ledger.key()
    with pytest.raises(InvalidRequest) as refusal:
        await key.reserve("r", amounts)
    assert refusal.value.field == field
    assert await key.counters() == [(0, 0)]


@pytest.mark.parametrize("reservation_id", ["", "x" * 129, "a b", "é", "a/b", "a\n"])
async def test_an_id_of_the_wrong_form_is_refused_everywhere(ledger: Ledger, reservation_id: str) -> None:
    key = await ledger.key()
    key.prefix = ""
    key_id = f"{reservation_id}"
    reserving, finalizing, releasing = key.reserving(""), key.finalizing(""), key.releasing("")
    for operation in (reserving, finalizing, releasing):
        object.__setattr__(operation, "reservation_id", key_id)
    calls = (
        ledger.transport.reserve(reserving),
        ledger.transport.finalize(finalizing),
        ledger.transport.release(releasing),
        ledger.transport.get_reservation(key.scope, key_id),
    )
    for call in calls:
        with pytest.raises(InvalidRequest) as refusal:
            await call
        assert refusal.value.field == "reservation_id"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"model": "é" * 129}, "model"),
        ({"model": "a\0"}, "model"),
        ({"labels": {"k" * 65: "v"}}, "labels"),
        ({"labels": {"k": "v" * 257}}, "labels.k"),
        ({"labels": {f"k{n}": "v" for n in range(17)}}, "labels"),
    ],
)
async def test_a_text_beyond_its_bound_is_named_and_holds_nothing(
    ledger: Ledger, fields: dict[str, object], field: str
) -> None:
    key = await ledger.key()
    with pytest.raises(InvalidRequest) as refusal:
        await key.reserve("r", **fields)  # type: ignore[arg-type]
    assert refusal.value.field == field
    assert await key.counters() == [(0, 0)]


async def test_the_largest_amount_is_an_amount(ledger: Ledger) -> None:
    key = await ledger.key(limit(max_value=10**15))
    await key.reserve("r", AMOUNT_MAX)
    await key.finalize("r", AMOUNT_MAX)
    assert await key.counters() == [(AMOUNT_MAX, 0)]


async def test_an_absent_metric_is_charged_as_held_and_an_explicit_zero_is_not(ledger: Ledger) -> None:
    key = await ledger.key(limit(), limit("pages"))
    await key.reserve("a", {"total_tokens": 60, "pages": 5})
    settled = (await key.finalize("a", {"total_tokens": 0})).reservation
    assert [(hold.held, hold.charged) for hold in settled.holds] == [(60, 0), (5, 5)]
    assert await key.counters() == [(0, 0), (5, 0)]


async def test_a_total_is_derived_from_the_parts_that_are_reported(ledger: Ledger) -> None:
    key = await ledger.key()
    await key.reserve("a", 60)
    await key.finalize("a", {"input_tokens": 11, "output_tokens": 22})
    assert await key.counters() == [(33, 0)]


async def test_a_part_that_is_not_reported_counts_as_held_in_the_total(ledger: Ledger) -> None:
    key = await ledger.key()
    await key.reserve("a", {"input_tokens": 20, "output_tokens": 40})
    settled = (await key.finalize("a", {"output_tokens": 5})).reservation
    assert settled.actual["total_tokens"] == 25
    assert await key.counters() == [(25, 0)]


async def test_concurrency_is_never_charged(ledger: Ledger) -> None:
    key = await ledger.key(lifetime("concurrency", 1))
    await key.reserve("a")
    settled = (await key.finalize("a", {"total_tokens": 5, "concurrency": 1})).reservation
    assert settled.actual["concurrency"] == 0
    assert await key.counters() == [(0, 0)]


async def test_a_metric_without_a_limit_is_recorded_in_the_reservation_only(ledger: Ledger) -> None:
    key = await ledger.key()
    await key.reserve("r", {"total_tokens": 10, "images": 3})
    settled = (await key.finalize("r", {"total_tokens": 4, "cached_tokens": 2})).reservation
    assert (settled.actual["images"], settled.actual["cached_tokens"]) == (3, 2)
    assert [hold.metric for hold in settled.holds] == ["total_tokens"]


@pytest.mark.parametrize(
    ("amounts", "basis", "kept"),
    [
        ({"total_tokens": 5}, None, Basis.REPORTED),
        ({}, None, Basis.RESERVED),
        ({"total_tokens": 5}, Basis.ESTIMATED, Basis.ESTIMATED),
        ({"total_tokens": 0}, Basis.NONE, Basis.NONE),
    ],
)
async def test_a_settlement_keeps_its_basis(
    ledger: Ledger, amounts: dict[str, int], basis: Basis | None, kept: Basis
) -> None:
    key = await ledger.key()
    await key.reserve("r")
    assert (await key.finalize("r", amounts, basis=basis)).reservation.basis is kept


async def test_same_amounts_are_judged_after_their_defaults(ledger: Ledger) -> None:
    key = await ledger.key()
    await key.reserve("r", {"input_tokens": 20, "output_tokens": 40})
    await key.finalize("r", {"input_tokens": 20, "output_tokens": 5})
    for same in ({"output_tokens": 5}, {"total_tokens": 25, "output_tokens": 5, "requests": 1}):
        assert (await key.finalize("r", same)).replayed
    with pytest.raises(FinalizeMismatch):
        await key.finalize("r", {})
    assert await key.counters() == [(25, 0)]


async def test_what_passes_the_hold_is_charged_in_full_and_told_per_limit(ledger: Ledger) -> None:
    key = await ledger.key(limit(), limit("requests", 5), limit(max_value=1000, seconds=7200))
    await key.reserve("r", 90)
    settled = (await key.finalize("r", 130)).reservation
    assert [(hold.charged, hold.over_by) for hold in settled.holds] == [(130, 30), (1, 0), (130, 0)]
    assert await key.counters() == [(130, 0), (1, 0), (130, 0)]
    with pytest.raises(QuotaExceeded) as refusal:
        await key.reserve("s", 1)
    (violation,) = refusal.value.denial.violations
    assert (violation.status.used, violation.status.available) == (130, 0)


async def test_a_wrong_amount_of_a_settlement_charges_nothing_and_can_be_corrected(ledger: Ledger) -> None:
    key = await ledger.key()
    await key.reserve("r", 60)
    with pytest.raises(InvalidRequest):
        await key.finalize("r", AMOUNT_MAX + 1)
    assert await key.counters() == [(0, 60)]
    await key.finalize("r", 25)
    assert await key.counters() == [(25, 0)]
