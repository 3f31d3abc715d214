"""Reserve: admission, repeats and refusals, on a real database."""

import asyncio

import pytest

from quotad.core.keys import KeyChanges
from quotad.core.operations import Reserve
from quotad.errors import (
    ApiKeyDisabled,
    ApiKeyUnknown,
    InvalidRequest,
    ModelNotAllowed,
    QuotaExceeded,
    RequestExceedsLimit,
    ReservationFenced,
    ReservationIdReused,
    ReservationNotOpen,
)
from quotad.store import Store, StoreSettings
from quotad.values import Enforcement, Limit, ReservationState, Subject, Window, WindowKind
from tests.quotad.store.conftest import Bench, limit


async def test_an_admitted_request_holds_room_in_every_limit(bench: Bench) -> None:
    """Q2, Q3."""
    answer = await bench.reserve("r", 60)
    assert (answer.replayed, answer.reservation.state) == (False, ReservationState.RESERVED)
    assert [(status.used, status.held, status.available) for status in answer.limits] == [(0, 60, 40)]
    assert await bench.counters() == (0, 60)


async def test_a_repeat_answers_the_first_grant_and_holds_once(bench: Bench) -> None:
    """Q4, B3."""
    first = await bench.reserve("r", 60)
    again = await bench.reserve("r", 60)
    assert again.replayed
    assert again.reservation == first.reservation
    assert await bench.counters() == (0, 60)


async def test_a_repeat_does_not_depend_on_later_edits_of_the_key(bench: Bench) -> None:
    await bench.reserve("r", 60)
    await bench.store.keys.update("default", bench.key.api_key_id, KeyChanges(disabled=True, limits=()), "")
    assert (await bench.reserve("r", 60)).replayed


@pytest.mark.parametrize(
    ("change", "differing"),
    [({"model": "gpt-4"}, "model"), ({"min_amounts": {"total_tokens": 1}}, "min_amounts")],
)
async def test_an_id_that_stands_for_another_request_is_refused(
    bench: Bench, change: dict[str, object], differing: str
) -> None:
    await bench.reserve("r", 60)
    with pytest.raises(ReservationIdReused) as refusal:
        await bench.reserve("r", 60, **change)
    assert refusal.value.metadata == {"fields": differing}
    with pytest.raises(ReservationIdReused, match="amounts"):
        await bench.reserve("r", 61)


async def test_another_keys_reservation_is_never_shown(bench: Bench) -> None:
    await bench.reserve("r", 60)
    key, _ = await bench.new_key(limit())
    with pytest.raises(ReservationIdReused) as refusal:
        await bench.reserve("r", 60, subject=Subject(api_key_id=key.api_key_id))
    assert refusal.value.metadata == {"fields": "api_key"}


async def test_a_refused_request_changes_no_counter_and_can_come_again(bench: Bench) -> None:
    await bench.reserve("a", 60)
    with pytest.raises(QuotaExceeded) as refusal:
        await bench.reserve("b", 41)
    (violation,) = refusal.value.denial.violations
    assert (violation.status.used, violation.status.held, violation.status.available) == (0, 60, 40)
    assert await bench.counters() == (0, 60)
    await bench.release("a")
    assert not (await bench.reserve("b", 41)).replayed


async def test_one_limit_in_the_way_leaves_the_others_untouched(bench: Bench) -> None:
    """Q2, Q7: a model limit and a global limit hold together."""
    key, _ = await bench.new_key(limit(max_value=1000), limit("requests", 1, model_pattern="gpt-5*"))
    subject = Subject(api_key_id=key.api_key_id)
    await bench.reserve("a", 10, subject=subject)
    with pytest.raises(QuotaExceeded) as refusal:
        await bench.reserve("b", 10, subject=subject, model="gpt-5-mini")
    assert [v.status.limit.metric for v in refusal.value.denial.violations] == ["requests"]
    await bench.reserve("c", 10, subject=subject, model="gpt-4")
    description = await bench.store.ledger.describe_key(subject)
    assert [status.held for status in description.limits] == [20, 1]


async def test_a_request_above_a_whole_limit_is_told_that_it_never_fits(bench: Bench) -> None:
    """B7."""
    with pytest.raises(RequestExceedsLimit) as refusal:
        await bench.reserve("r", 101)
    assert refusal.value.denial.never_fits


async def test_a_smaller_grant_is_kept_beside_what_was_asked(bench: Bench) -> None:
    await bench.reserve("a", 80)
    answer = await bench.reserve("b", 90, min_amounts={"total_tokens": 5})
    assert answer.reservation.requested["total_tokens"] == 90
    assert answer.reservation.reserved["total_tokens"] == 20
    assert await bench.counters() == (0, 100)


async def test_a_shadow_limit_counts_and_never_refuses(bench: Bench) -> None:
    shadow = Limit("requests", Window(WindowKind.DAY), 1, enforcement=Enforcement.SHADOW)
    key, _ = await bench.new_key(shadow, limit("input_tokens", 10, enforcement=Enforcement.SHADOW))
    for number in range(3):
        await bench.reserve(f"r{number}", 5, subject=Subject(api_key_id=key.api_key_id))
    description = await bench.store.ledger.describe_key(Subject(api_key_id=key.api_key_id))
    assert [status.held for status in description.limits] == [3, 0]


async def test_concurrency_is_freed_by_settling_and_never_charged(bench: Bench) -> None:
    key, _ = await bench.new_key(limit("concurrency", 1, WindowKind.LIFETIME))
    subject = Subject(api_key_id=key.api_key_id)
    await bench.reserve("a", 5, subject=subject)
    with pytest.raises(QuotaExceeded):
        await bench.reserve("b", 5, subject=subject)
    await bench.finalize("a", 5)
    await bench.reserve("b", 5, subject=subject)


async def test_a_key_that_may_not_be_used_is_refused(bench: Bench) -> None:
    with pytest.raises(ApiKeyUnknown):
        await bench.reserve("r", 1, subject=Subject(api_key="sk-quota-wrong"))
    assert (await bench.reserve("r", 1, subject=Subject(api_key=bench.secret))).reservation.api_key_id
    limited, _ = await bench.new_key(allowed_models=("gpt-5*",))
    with pytest.raises(ModelNotAllowed):
        await bench.reserve("m", 1, subject=Subject(api_key_id=limited.api_key_id), model="o3")
    await bench.store.keys.delete("default", bench.key.api_key_id, "")
    with pytest.raises(ApiKeyDisabled):
        await bench.reserve("d", 1)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"reservation_id": ""}, "reservation_id"),
        ({"reservation_id": "x" * 129}, "reservation_id"),
        ({"reservation_id": "a b"}, "reservation_id"),
        ({"amounts": {"total_tokens": -1}}, "amounts.total_tokens"),
        ({"amounts": {"total_tokens": 10**12 + 1}}, "amounts.total_tokens"),
        ({"amounts": {"Total": 1}}, "amounts"),
        ({"amounts": {"concurrency": 2}}, "amounts.concurrency"),
        ({"amounts": {f"m{n}": 1 for n in range(17)}}, "amounts"),
        ({"min_amounts": {"total_tokens": 6}}, "min_amounts.total_tokens"),
        ({"min_amounts": {"cost_microusd": 6}}, "min_amounts.cost_microusd"),
        ({"model": "é" * 129}, "model"),
        ({"model": "a\0"}, "model"),
        ({"labels": {"k" * 65: "v"}}, "labels"),
        ({"labels": {"k": "v" * 257}}, "labels.k"),
    ],
)
async def test_a_wrong_field_is_named_and_nothing_is_written(
    bench: Bench, change: dict[str, object], field: str
) -> None:
    fields = {
        "reservation_id": "r",
        "subject": Subject(api_key_id=bench.key.api_key_id),
        "model": "m",
        "amounts": {"total_tokens": 5},
    }
    with pytest.raises(InvalidRequest) as refusal:
        await bench.store.ledger.reserve(Reserve(**{**fields, **change}))  # type: ignore[arg-type]
    assert refusal.value.field == field
    assert await bench.counters() == (0, 0)


async def test_a_release_that_overtook_its_reserve_fences_it(bench: Bench) -> None:
    """B3."""
    tombstone = await bench.release("r")
    assert tombstone.reservation.state is ReservationState.RELEASED
    with pytest.raises(ReservationFenced):
        await bench.reserve("r", 5)
    assert await bench.counters() == (0, 0)


async def test_a_settled_reservation_is_not_open_again(bench: Bench) -> None:
    await bench.reserve("f", 5)
    await bench.finalize("f", 5)
    with pytest.raises(ReservationNotOpen):
        await bench.reserve("f", 5)
    await bench.reserve("r", 5)
    await bench.release("r")
    with pytest.raises(ReservationFenced):
        await bench.reserve("r", 5)


async def test_parallel_reserves_of_one_id_hold_once(bench: Bench) -> None:
    """Q4."""
    answers = await asyncio.gather(*(bench.reserve("r", 60) for _ in range(8)))
    assert sum(not answer.replayed for answer in answers) == 1
    assert await bench.counters() == (0, 60)


async def test_two_daemons_never_admit_more_than_fits(bench: Bench) -> None:
    """Q1, Q5: 40 requests of 7 race for 100 through two stores on one database."""
    other = Bench(await Store.open(StoreSettings(bench.database_url)), bench.database_url, bench.key, bench.secret)
    try:
        outcomes = await asyncio.gather(
            *((bench, other)[n % 2].reserve(f"r{n}", 7) for n in range(40)), return_exceptions=True
        )
    finally:
        await other.store.close()
    assert sum(not isinstance(outcome, BaseException) for outcome in outcomes) == 14
    assert all(isinstance(o, QuotaExceeded) for o in outcomes if isinstance(o, BaseException))
    assert await bench.counters() == (0, 98)


async def test_an_edit_binds_every_reserve_that_starts_after_it(bench: Bench) -> None:
    await bench.reserve("a", 60)
    lowered = (limit(max_value=50),)
    await bench.store.keys.update("default", bench.key.api_key_id, KeyChanges(limits=lowered), "")
    with pytest.raises(QuotaExceeded):
        await bench.reserve("b", 1)
    raised = (limit(max_value=1000),)
    await bench.store.keys.update("default", bench.key.api_key_id, KeyChanges(limits=raised), "")
    await bench.reserve("b", 500)
    assert await bench.counters() == (0, 560)
