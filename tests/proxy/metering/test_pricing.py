from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.metering.pricing import (
    Price,
    Rates,
    Step,
    flat_price,
    microusd,
    tokens_cost,
    usage_cost,
)
from proxy.metering.usage import Usage
from tests.proxy.metering.tariffs import OWN, UNKNOWN, tariff

CHEAP = Rates(Decimal(1), Decimal("0.1"), Decimal("1.25"), Decimal(6))
DEAR = Rates(Decimal(2), Decimal("0.2"), Decimal("2.5"), Decimal(9))
STEPPED = Price(CHEAP, (Step(1000, DEAR),))

tokens = st.integers(0, 10**9)
rates = st.decimals(0, 1000, places=4)
prices = st.builds(flat_price, rates, rates, st.none() | rates)
usages = st.builds(Usage, tokens, tokens, tokens, cached_input_tokens=tokens, cache_write_tokens=tokens)


def used(input_tokens: int, output_tokens: int = 0, cached: int = 0, written: int = 0) -> Usage:
    total = input_tokens + output_tokens
    return Usage(input_tokens, output_tokens, total, cached_input_tokens=cached, cache_write_tokens=written)


def test_each_kind_of_token_costs_its_own_rate() -> None:
    assert usage_cost(STEPPED, used(100, 10, cached=40, written=20)) == 40 + 4 + 25 + 60


def test_reasoning_tokens_are_output_and_not_counted_twice() -> None:
    assert usage_cost(STEPPED, Usage(0, 10, 10, reasoning_tokens=8)) == 60


def test_above_a_step_all_tokens_cost_its_rates() -> None:
    assert usage_cost(STEPPED, used(1000, 1)) == 1006
    assert usage_cost(STEPPED, used(1001, 1)) == 2011


def test_more_cached_tokens_than_input_are_not_believed() -> None:
    assert usage_cost(STEPPED, used(10, cached=500, written=500)) == 1


def test_a_price_without_one_for_cached_input_makes_it_no_cheaper() -> None:
    assert usage_cost(flat_price(Decimal(2), Decimal(3)), used(10, cached=10)) == 20


@pytest.mark.parametrize(("cost", "amount"), [("0", 0), ("0.0001", 1), ("1", 1), ("1.0000001", 2), ("1e15", 10**12)])
def test_a_cost_is_rounded_up_and_bounded_as_the_ledger_bounds_it(cost: str, amount: int) -> None:
    assert microusd(Decimal(cost)) == amount


@given(price=prices, usage=usages)
def test_reported_tokens_never_cost_more_than_the_most_that_was_held_for_as_many(price: Price, usage: Usage) -> None:
    assert 0 <= usage_cost(price, usage) <= tokens_cost(price, usage.input_tokens, usage.output_tokens)


@given(input_tokens=tokens, output_tokens=tokens, more=tokens)
def test_more_output_never_costs_less(input_tokens: int, output_tokens: int, more: int) -> None:
    less = tokens_cost(STEPPED, input_tokens, output_tokens)
    assert less <= tokens_cost(STEPPED, input_tokens, output_tokens + more)


def test_the_model_that_was_asked_for_decides_whoever_answered() -> None:
    """B8"""
    report = Usage(10, 10, 20, model="gpt-5.1")
    assert tariff(OWN).cost_microusd([report]) == 120


def test_a_default_price_counts_before_the_model_that_answered() -> None:
    """B8"""
    default = flat_price(Decimal(1), Decimal(1))
    report = Usage(10, 10, 20, model=OWN)
    assert tariff(UNKNOWN, default=default).cost_microusd([report]) == 20
    assert tariff(UNKNOWN).cost_microusd([report]) == 120


def test_without_any_price_there_is_no_cost() -> None:
    """B8: unknown, never zero."""
    assert tariff(UNKNOWN).cost_microusd([Usage(10, 10, 20)]) is None
    assert tariff(UNKNOWN).estimate_microusd(10, 10) is None
    assert tariff(UNKNOWN).expected is None


models = st.sampled_from(["gpt-5.1", "gpt-5.6-sol", "o3", OWN, UNKNOWN])
tiers = st.sampled_from(["", "auto", "default", "flex", "priority", "nonsense"])
answers = st.builds(Usage, tokens, tokens, tokens, tokens, model=models | st.just(""), service_tier=tiers)


@given(model=models, tier=tiers, reports=st.lists(answers, min_size=1, max_size=3), default=st.none() | prices)
def test_what_has_a_price_when_it_is_held_has_one_when_it_is_charged(
    model: str, tier: str, reports: list[Usage], default: Price | None
) -> None:
    """B8"""
    of_request = tariff(model, service_tier=tier, default=default)
    assert of_request.expected is None or of_request.cost_microusd(reports) is not None


def test_the_service_tier_that_answered_decides_on_the_price() -> None:
    asked_for_more = tariff("gpt-5.1", service_tier="priority")
    served_as_usual = Usage(1000, 1000, 2000, service_tier="default")
    assert asked_for_more.cost_microusd([served_as_usual]) == 1250 + 10_000
    assert asked_for_more.cost_microusd([Usage(1000, 1000, 2000)]) == 2500 + 20_000
    assert asked_for_more.estimate_microusd(1000, 1000) == 2500 + 20_000
