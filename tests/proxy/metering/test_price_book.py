from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.metering.price_book import PriceBook, context_tokens
from proxy.metering.pricing import Price, flat_price
from tests.proxy.metering.tariffs import TIME, UNKNOWN, book

NONE = PriceBook()

OFFLINE = """
import sys, threading

def forbid(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "_thread.start_new_thread"):
        raise SystemExit("reached out: " + event)

sys.addaudithook(forbid)
from datetime import UTC, datetime
from proxy.metering.price_book import PriceBook
assert PriceBook().find("gpt-5.1", "", datetime.now(UTC)) is not None
assert threading.active_count() == 1
"""


def known(model: str, service_tier: str = "", time: datetime = TIME) -> Price | None:
    return NONE.find(model, service_tier, time)


def test_a_well_known_model_has_its_makers_price() -> None:
    price = known("gpt-5.1")
    assert price is not None
    assert (price.base.input, price.base.cached_input, price.base.output) == (
        Decimal("1.25"),
        Decimal("0.125"),
        Decimal(10),
    )


def test_a_dated_name_costs_what_its_model_costs() -> None:
    assert known("gpt-5.1-2025-11-13") == known("gpt-5.1")


@pytest.mark.parametrize("model", [UNKNOWN, "gpt-9000", "GPT-", "*", "whisper-1", "text-embedding-3-small", "x" * 256])
def test_a_model_without_prices_for_input_and_output_is_unknown(model: str) -> None:
    """B8: unknown, never zero."""
    assert known(model) is None


def test_a_service_tier_has_a_price_of_its_own_where_it_is_known() -> None:
    usual = known("gpt-5.1")
    assert known("gpt-5.1", "auto") == known("gpt-5.1", "default") == known("gpt-5.1", "nonsense") == usual
    priority = known("gpt-5.1", "priority")
    assert priority is not None
    assert priority.base.output == 20


def test_long_prompts_and_writing_to_the_cache_cost_what_their_model_says() -> None:
    price = known("gpt-5.6-sol")
    assert price is not None
    assert price.rates(272_000) == price.base
    assert price.rates(272_001).input == 2 * price.base.input
    assert price.base.cache_write > price.base.input > price.base.cached_input


def test_a_price_that_was_changed_depends_on_the_time() -> None:
    before, after = (known("gpt-5.6-sol", "", datetime(2026, 8, day, tzinfo=UTC)) for day in (20, 21))
    assert before is not None
    assert after is not None
    assert before.base.output > after.base.output


def test_the_operators_price_wins_the_exact_name_first_then_the_longest_prefix() -> None:
    prices = """{
        "gpt-*": {"input": 1, "output": 1}, "gpt-5*": {"input": 2, "output": 2},
        "gpt-5.1": {"input": 3, "output": 3}, "*": {"input": 4, "output": 4}
    }"""
    found = [book(prices).find(model, "", TIME) for model in ("gpt-5.1", "gpt-5.1-mini", "gpt-4o", UNKNOWN)]
    assert found == [flat_price(Decimal(usd), Decimal(usd)) for usd in (3, 2, 1, 4)]


def test_a_context_is_known_for_the_models_that_have_one() -> None:
    assert context_tokens("gpt-5.1") == 400_000
    assert context_tokens(UNKNOWN) is None


@given(model=st.text(max_size=64), service_tier=st.text(max_size=16))
def test_no_name_and_no_tier_breaks_the_look_up(model: str, service_tier: str) -> None:
    known(model, service_tier)
    context_tokens(model)


def test_prices_are_never_fetched() -> None:
    done = subprocess.run([sys.executable, "-c", OFFLINE], capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stderr) == (0, "")
