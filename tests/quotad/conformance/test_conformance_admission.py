"""Admission: what fits, what a refusal says, smaller grants, shadow limits, model patterns and concurrency."""

from __future__ import annotations

from datetime import timedelta

import pytest

from quotad.errors import InvalidRequest, ModelNotAllowed, QuotaExceeded, RequestExceedsLimit
from quotad.values import BlockedBy, LimitsView
from tests.quotad.conformance.ledger import HOUR, Ledger, lifetime, limit, shadow


async def test_a_request_must_fit_every_limit_or_holds_in_none(ledger: Ledger) -> None:
    key = await ledger.key(limit(), limit("requests", 2), limit(max_value=30, seconds=60))
    await key.reserve("a", 30)
    with pytest.raises(QuotaExceeded) as refusal:
        await key.reserve("b", 1)
    assert [violation.status.limit.window.seconds for violation in refusal.value.denial.violations] == [60]
    assert await key.counters() == [(0, 30), (0, 1), (0, 30)]


async def test_what_fits_exactly_is_admitted_and_one_more_is_not(ledger: Ledger) -> None:
    key = await ledger.key()
    await key.reserve("a", 60)
    await key.finalize("a", 30)
    await key.reserve("b", 70)
    with pytest.raises(QuotaExceeded):
        await key.reserve("c", 1)
    assert await key.counters() == [(30, 70)]


async def test_a_limit_of_nothing_admits_only_nothing(ledger: Ledger) -> None:
    key = await ledger.key(limit(max_value=0))
    await key.reserve("a", 0)
    with pytest.raises(RequestExceedsLimit):
        await key.reserve("b", 1)


async def test_a_refusal_names_every_violated_limit_with_its_numbers(ledger: Ledger) -> None:
    key = await ledger.key(limit(), limit("requests", 1, model_pattern="gpt-5*"), limit("pages", 1000))
    await key.reserve("used", {"total_tokens": 30, "pages": 1})
    await key.finalize("used", {"total_tokens": 30, "requests": 0})
    await key.reserve("held", {"total_tokens": 40, "pages": 1})
    with pytest.raises(QuotaExceeded) as refusal:
        await key.reserve("r", {"total_tokens": 50, "pages": 1})
    tokens, requests = refusal.value.denial.violations
    assert (tokens.status.limit.metric, tokens.status.limit.max_value) == ("total_tokens", 100)
    assert (tokens.status.used, tokens.status.held, tokens.status.available) == (30, 40, 30)
    assert (tokens.requested, tokens.blocked_by, tokens.never_fits) == (50, BlockedBy.HELD, False)
    assert tokens.status.owner.api_key_id == key.api_key.api_key_id
    assert (requests.status.limit.metric, requests.status.limit.model_pattern) == ("requests", "gpt-5*")
    assert (requests.requested, requests.blocked_by) == (1, BlockedBy.HELD)
    assert requests.status.reset_time is not None
    assert await key.counters() == [(30, 40), (0, 1), (1, 1)]


async def test_a_limit_blocked_by_holds_alone_is_worth_another_try_after_a_second(ledger: Ledger) -> None:
    key = await ledger.key()
    await key.reserve("held", 100)
    with pytest.raises(QuotaExceeded) as refusal:
        await key.reserve("r", 1)
    assert refusal.value.denial.retry_after == timedelta(seconds=1)


async def test_a_limit_blocked_by_usage_is_worth_another_try_at_its_reset(ledger: Ledger) -> None:
    key = await ledger.key(limit(max_value=10, seconds=600), limit(seconds=HOUR))
    await key.reserve("a", 10)
    await key.finalize("a", 10)
    await ledger.pass_time(100)
    with pytest.raises(QuotaExceeded) as refusal:
        await key.reserve("r", 1)
    (violation,) = refusal.value.denial.violations
    assert violation.blocked_by is BlockedBy.USED
    wait = refusal.value.denial.retry_after
    assert wait is not None
    assert timedelta(seconds=450) < wait <= timedelta(seconds=500)


async def test_the_longest_wait_of_all_violated_limits_counts(ledger: Ledger) -> None:
    key = await ledger.key(limit(max_value=10, seconds=600), limit(max_value=10, seconds=HOUR), limit("requests", 1))
    await key.reserve("a", 10)
    await key.finalize("a", {"total_tokens": 10, "requests": 0})
    await key.reserve("b", 0)
    with pytest.raises(QuotaExceeded) as refusal:
        await key.reserve("r", 1)
    assert len(refusal.value.denial.violations) == 3
    wait = refusal.value.denial.retry_after
    assert wait is not None
    assert timedelta(seconds=HOUR - 60) < wait <= timedelta(seconds=HOUR)


async def test_there_is_nothing_to_wait_for_where_a_lifetime_limit_is_used_up(ledger: Ledger) -> None:
    key = await ledger.key(lifetime("total_tokens", 10), limit(max_value=10))
    await key.reserve("a", 10)
    await key.finalize("a", 10)
    with pytest.raises(QuotaExceeded) as refusal:
        await key.reserve("r", 1)
    assert [violation.blocked_by for violation in refusal.value.denial.violations] == [BlockedBy.USED] * 2
    assert refusal.value.denial.retry_after is None


async def test_a_request_above_a_whole_limit_never_fits_whatever_else_refuses_it(ledger: Ledger) -> None:
    key = await ledger.key(limit(), limit("requests", 1))
    await key.reserve("a", 1)
    with pytest.raises(RequestExceedsLimit) as refusal:
        await key.reserve("r", 101)
    assert [violation.never_fits for violation in refusal.value.denial.violations] == [True, False]
    assert refusal.value.denial.retry_after is None


async def test_a_smaller_grant_fills_the_room_and_is_told_beside_the_request(ledger: Ledger) -> None:
    key = await ledger.key(limit(), limit("output_tokens", 50))
    await key.reserve("a", {"input_tokens": 60, "output_tokens": 20})
    minimums = {"output_tokens": 5, "total_tokens": 5}
    granted = (await key.reserve("b", {"input_tokens": 0, "output_tokens": 90}, min_amounts=minimums)).reservation
    assert (granted.requested["output_tokens"], granted.reserved["output_tokens"]) == (90, 30)
    assert (granted.requested["total_tokens"], granted.reserved["total_tokens"]) == (90, 20)
    assert await key.counters() == [(0, 100), (0, 50)]


async def test_a_grant_below_its_minimum_is_refused_by_the_minimum(ledger: Ledger) -> None:
    key = await ledger.key()
    await key.reserve("a", 95)
    with pytest.raises(QuotaExceeded) as refusal:
        await key.reserve("r", 500, min_amounts={"total_tokens": 6})
    (violation,) = refusal.value.denial.violations
    assert (violation.requested, violation.status.available, violation.never_fits) == (6, 5, False)
    with pytest.raises(RequestExceedsLimit):
        await key.reserve("r", 500, min_amounts={"total_tokens": 101})
    assert await key.counters() == [(0, 95)]


async def test_an_absent_minimum_is_the_whole_amount(ledger: Ledger) -> None:
    key = await ledger.key(limit(), limit("output_tokens", 50))
    with pytest.raises(RequestExceedsLimit) as refusal:
        await key.reserve("r", {"total_tokens": 500, "output_tokens": 60}, min_amounts={"total_tokens": 1})
    assert [violation.status.limit.metric for violation in refusal.value.denial.violations] == ["output_tokens"]


async def test_requests_and_concurrency_are_never_clipped(ledger: Ledger) -> None:
    key = await ledger.key(limit("requests", 3), lifetime("concurrency", 1))
    with pytest.raises(RequestExceedsLimit) as refusal:
        await key.reserve("a", {"requests": 4}, min_amounts={"requests": 1})
    (violation,) = refusal.value.denial.violations
    assert violation.requested == 4
    await key.reserve("b", {"requests": 1}, min_amounts={"concurrency": 0})
    with pytest.raises(QuotaExceeded):
        await key.reserve("c", {"requests": 1}, min_amounts={"concurrency": 0})


@pytest.mark.parametrize("minimum", [{"total_tokens": 11}, {"pages": 1}, {"total_tokens": -1}])
async def test_a_minimum_above_the_amount_or_without_one_is_a_wrong_field(
    ledger: Ledger, minimum: dict[str, int]
) -> None:
    key = await ledger.key()
    with pytest.raises(InvalidRequest) as refusal:
        await key.reserve("r", 10, min_amounts=minimum)
    assert refusal.value.field == f"min_amounts.{next(iter(minimum))}"


async def test_a_repeat_of_a_smaller_grant_is_that_grant(ledger: Ledger) -> None:
    key = await ledger.key()
    await key.reserve("a", 80)
    first = await key.reserve("b", 90, min_amounts={"total_tokens": 5})
    await key.release("a")
    again = await key.reserve("b", 90, min_amounts={"total_tokens": 5})
    assert (again.replayed, again.reservation) == (True, first.reservation)
    assert again.reservation.reserved["total_tokens"] == 20


async def test_a_shadow_limit_holds_and_charges_and_never_refuses_or_clips(ledger: Ledger) -> None:
    key = await ledger.key(limit(max_value=1000), shadow("total_tokens", 10), shadow("pages", 1))
    granted = (await key.reserve("a", 50, min_amounts={"total_tokens": 1})).reservation
    assert granted.reserved["total_tokens"] == 50
    assert [hold.held for hold in granted.holds] == [50, 50, 0]
    settled = (await key.finalize("a", 40)).reservation
    assert [(hold.charged, hold.over_by) for hold in settled.holds] == [(40, 0), (40, 30), (0, 0)]
    assert await key.counters() == [(40, 0), (40, 0), (0, 0)]
    with pytest.raises(RequestExceedsLimit) as refusal:
        await key.reserve("b", 1001)
    assert [violation.status.limit.max_value for violation in refusal.value.denial.violations] == [1000]


async def test_an_overrun_shadow_limit_asks_for_no_metric(ledger: Ledger) -> None:
    key = await ledger.key(limit(), shadow("pages", 1))
    await key.reserve("a", {"total_tokens": 1, "pages": 5})
    await key.finalize("a", {"total_tokens": 1, "pages": 5})
    assert [hold.held for hold in (await key.reserve("b", 1)).reservation.holds] == [1, 0]


async def test_a_limit_binds_the_models_that_its_pattern_matches(ledger: Ledger) -> None:
    key = await ledger.key(limit("requests", 1, "gpt-5*"), limit("requests", 2, "gpt-4"), limit("requests", 10))
    await key.reserve("a", model="gpt-5-mini")
    with pytest.raises(QuotaExceeded):
        await key.reserve("b", model="gpt-5")
    await key.reserve("c", model="gpt-4")
    await key.reserve("d", model="gpt-4-turbo")
    assert await key.counters() == [(0, 1), (0, 1), (0, 3)]


async def test_a_model_that_the_key_may_not_use_is_refused(ledger: Ledger) -> None:
    key = await ledger.key(allowed_models=("gpt-5*", "o3"))
    await key.reserve("a", model="gpt-5-mini")
    await key.reserve("b", model="o3")
    with pytest.raises(ModelNotAllowed):
        await key.reserve("c", model="o3-mini")
    assert await key.counters() == [(0, 20)]


async def test_concurrency_is_the_number_of_open_reservations(ledger: Ledger) -> None:
    key = await ledger.key(lifetime("concurrency", 2))
    await key.reserve("a")
    await key.reserve("b")
    with pytest.raises(QuotaExceeded) as refusal:
        await key.reserve("c")
    assert refusal.value.denial.retry_after == timedelta(seconds=1)
    await key.finalize("a", 5)
    await key.reserve("c")
    await key.release("b")
    await key.lapse("c")
    await key.reserve("d")
    await key.reserve("e")
    assert await key.counters() == [(0, 2)]


async def test_an_answer_lists_all_limits_that_bind_the_request_unless_told_not_to(ledger: Ledger) -> None:
    key = await ledger.key(limit(), limit("requests", 5), limit("requests", 5, "other-model"))
    everything = await key.reserve("a", 60)
    assert [(status.limit.metric, status.held, status.available) for status in everything.limits] == [
        ("total_tokens", 60, 40),
        ("requests", 1, 4),
    ]
    assert (await key.reserve("b", 1, limits_view=LimitsView.NONE)).limits == ()
