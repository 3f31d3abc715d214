"""Prices for tests: round ones of our own, and a model that nobody knows."""

from __future__ import annotations

from datetime import UTC, datetime

from proxy.metering.price_book import PriceBook
from proxy.metering.pricing import Price, Tariff
from proxy.price_overrides import parse_price_overrides

TIME = datetime(2026, 11, 2, 12, 30, 15, tzinfo=UTC)
OWN = "our-model"
OWN_PRICES = '{"our-model": {"input": 2, "cached_input": 0.5, "output": 10}}'
UNKNOWN = "nobody-knows-this"


def book(prices: str = OWN_PRICES) -> PriceBook:
    return PriceBook(parse_price_overrides(prices))


def tariff(model: str = OWN, *, service_tier: str = "", default: Price | None = None) -> Tariff:
    return Tariff(book(), model, service_tier, TIME, default)
