"""What tokens cost. Decimal throughout: a ledger's amount is rounded up once, to whole micro-USD.

A price in USD per million tokens is one in micro-USD per token, so a rate times tokens is a cost in micro-USD.
Reasoning tokens are output tokens. What an upstream bills beside tokens (searches, storage) is no part of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from proxy.metering.usage import TOKENS_MAX, Usage

COST = "cost_microusd"
"""The metric."""


@dataclass(frozen=True, slots=True)
class Rates:
    """USD per million tokens of each kind."""

    input: Decimal
    cached_input: Decimal
    """Input that the upstream found in its cache."""
    cache_write: Decimal
    """Input that it wrote there."""
    output: Decimal

    @property
    def dearest_input(self) -> Decimal:
        return max(self.input, self.cached_input, self.cache_write)


@dataclass(frozen=True, slots=True)
class Step:
    """Above so many input tokens, all tokens of a request cost these rates."""

    input_tokens: int
    rates: Rates


@dataclass(frozen=True, slots=True)
class Price:
    """What the tokens of one model cost."""

    base: Rates
    steps: tuple[Step, ...] = ()
    """Ascending."""

    def rates(self, input_tokens: int) -> Rates:
        """For a request with that much input."""
        reached = [step.rates for step in self.steps if input_tokens > step.input_tokens]
        return reached[-1] if reached else self.base


def flat_price(input_usd: Decimal, output_usd: Decimal, cached_input_usd: Decimal | None = None) -> Price:
    """The same for every request; cached input costs what other input costs unless it is given. USD per million."""
    cached = input_usd if cached_input_usd is None else cached_input_usd
    return Price(Rates(input_usd, cached, input_usd, output_usd))


def usage_cost(price: Price, usage: Usage) -> Decimal:
    """The cost of what an upstream reported, in micro-USD."""
    rates = price.rates(usage.input_tokens)
    cached = min(usage.cached_input_tokens, usage.input_tokens)
    written = min(usage.cache_write_tokens, usage.input_tokens - cached)
    plain = usage.input_tokens - cached - written
    input_cost = plain * rates.input + cached * rates.cached_input + written * rates.cache_write
    return input_cost + usage.output_tokens * rates.output


def tokens_cost(price: Price, input_tokens: int, output_tokens: int) -> Decimal:
    """The most that so many tokens can cost, in micro-USD: nobody knows yet what a cache will do."""
    rates = price.rates(input_tokens)
    return input_tokens * rates.dearest_input + output_tokens * rates.output


def microusd(cost: Decimal) -> int:
    """As the ledger takes it: rounded up, and not above what it can hold."""
    return min(math.ceil(cost), TOKENS_MAX)


class Prices(Protocol):
    """Where prices come from."""

    def find(self, model: str, service_tier: str, time: datetime) -> Price | None:
        """The price at that time; None where it is not known."""
        ...


@dataclass(frozen=True, slots=True)
class Tariff:
    """What the tokens of one request cost, by the prices of the moment at which it began.

    The model that was asked for decides; where its price is not known, the key's default price; where there is none,
    the model that answered. So whatever has a price when it is held has one when it is charged.
    """

    prices: Prices
    model: str
    service_tier: str
    """As asked for; the upstream says which one it was."""
    time: datetime
    default: Price | None = None
    """The key's own, for a model whose price is not known."""

    @property
    def expected(self) -> Price | None:
        """Before anything is answered."""
        return self.prices.find(self.model, self.service_tier, self.time) or self.default

    def cost_microusd(self, reports: Iterable[Usage]) -> int | None:
        """What the reports of all attempts cost together; None where a price is not known."""
        total = Decimal(0)
        for usage in reports:
            price = self._price(usage)
            if price is None:
                return None
            total += usage_cost(price, usage)
        return microusd(total)

    def estimate_microusd(self, input_tokens: int, output_tokens: int) -> int | None:
        """The most that so many tokens can cost; None where the price is not known."""
        price = self.expected
        return None if price is None else microusd(tokens_cost(price, input_tokens, output_tokens))

    def _price(self, usage: Usage) -> Price | None:
        service_tier = usage.service_tier or self.service_tier
        asked = self.prices.find(self.model, service_tier, self.time) or self.default
        if asked is not None or not usage.model:
            return asked
        return self.prices.find(usage.model, service_tier, self.time)
