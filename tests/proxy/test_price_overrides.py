from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from proxy.config import load_proxy_settings
from proxy.price_overrides import PriceOverride, PricesInvalid, parse_price_overrides, read_price_overrides
from servicekit.settings import SettingsInvalid

PRICES = {"input": 1, "output": 2}


def test_prices_are_read_to_the_digit() -> None:
    text = '{"gpt-5*": {"input": 1.1, "cached_input": "0.125", "output": 10}, "m": {"input": 0, "output": 0}}'
    assert parse_price_overrides(text) == (
        PriceOverride("gpt-5*", Decimal("1.1"), Decimal(10), Decimal("0.125")),
        PriceOverride("m", Decimal(0), Decimal(0)),
    )


def test_floats_that_were_parsed_elsewhere_mean_what_they_look_like() -> None:
    [override] = read_price_overrides({"m": {"input": 0.1, "output": 2}})
    assert override.input_usd == Decimal("0.1")


def test_nothing_is_no_prices() -> None:
    assert parse_price_overrides(" ") == parse_price_overrides("{}") == ()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ([], "expected a JSON object"),
        ({"": PRICES}, "neither a model's name nor prefix"),
        ({"gpt-*-mini": PRICES}, "neither a model's name nor prefix"),
        ({"x" * 257: PRICES}, "neither a model's name nor prefix"),
        ({"m": 5}, "m: expected an object"),
        ({"m": {"input": 1}}, "m: output is missing"),
        ({"m": {"output": 1}}, "m: input is missing"),
        ({"m": {**PRICES, "cached": 1}}, "m: 'cached' is none of"),
        ({"m": {"input": -1, "output": 2}}, "m: input must be 0 to"),
        ({"m": {"input": True, "output": 2}}, "m: input must be 0 to"),
        ({"m": {"input": "free", "output": 2}}, "m: input must be 0 to"),
        ({"m": {"input": "NaN", "output": 2}}, "m: input must be 0 to"),
        ({"m": {"input": 1, "output": 2_000_000}}, "m: output must be 0 to"),
        ({"m": {"input": 1, "output": [2]}}, "m: output must be 0 to"),
        ({f"m{n}": PRICES for n in range(1001)}, "at most 1000 models"),
    ],
)
def test_what_cannot_be_read_is_named(content: object, problem: str) -> None:
    with pytest.raises(PricesInvalid, match=problem):
        parse_price_overrides(json.dumps(content))


@pytest.mark.parametrize("text", ["{", "[" * 100_000, '{"m": }'])
def test_text_that_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(PricesInvalid, match="not valid JSON"):
        parse_price_overrides(text)


def test_a_model_that_is_given_twice_is_refused() -> None:
    with pytest.raises(PricesInvalid, match="'m' is given more than once"):
        parse_price_overrides('{"m": {"input": 1, "output": 1}, "m": {"input": 2, "output": 2}}')


def test_a_worker_does_not_start_with_prices_that_it_cannot_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PROXY_PRICES", '{"m": {"input": 1}}')
    with pytest.raises(SettingsInvalid, match=r"^PROXY_PRICES: m: output is missing$"):
        load_proxy_settings()
