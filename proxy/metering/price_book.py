"""Prices by model: the operator's own, else those that the package genai-prices carries.

The package's data is read as it was installed; nothing here ever fetches a newer one. Its own look-ups remember every
name that was ever asked for, so they are not used: what is remembered here is bounded.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from functools import lru_cache

from genai_prices.data import providers
from genai_prices.types import ModelInfo, ModelPrice, TieredPrices

from proxy.metering.pricing import Price, Rates, Step, flat_price
from proxy.price_overrides import PriceOverride

MODELS_REMEMBERED_MAX = 1_000


class PriceBook:
    """Immutable, so that a request is held and charged by the same prices; a change makes another book."""

    def __init__(self, overrides: Iterable[PriceOverride] = ()) -> None:
        by_pattern = {override.model_pattern: _own_price(override) for override in overrides}
        self._exact = {name: price for name, price in by_pattern.items() if not name.endswith("*")}
        prefixes = [(name[:-1], price) for name, price in by_pattern.items() if name.endswith("*")]
        self._prefixes = sorted(prefixes, key=lambda item: len(item[0]), reverse=True)

    def find(self, model: str, service_tier: str, time: datetime) -> Price | None:
        """The operator's price, the exact name before the longest prefix; else the known one; else None."""
        return self._override(model) or _known_price(model, service_tier, time.replace(second=0, microsecond=0))

    def _override(self, model: str) -> Price | None:
        exact = self._exact.get(model)
        if exact is not None:
            return exact
        return next((price for prefix, price in self._prefixes if model.startswith(prefix)), None)


def _own_price(override: PriceOverride) -> Price:
    return flat_price(override.input_usd, override.output_usd, override.cached_input_usd)


def context_tokens(model: str) -> int | None:
    """How much the model can read and write at once; None where that is not known."""
    found = _known_model(model)
    return found.context_window if found is not None else None


@lru_cache(MODELS_REMEMBERED_MAX)
def _known_price(model: str, service_tier: str, minute: datetime) -> Price | None:
    """A price may depend on the date and the time of day."""
    found = _known_model(model)
    if found is None or found.prices == []:
        return None
    return _read_price(found.get_prices(minute, {"service_tier": service_tier} if service_tier else None))


@lru_cache(MODELS_REMEMBERED_MAX)
def _known_model(model: str) -> ModelInfo | None:
    """By the first maker that knows the name; resellers, whose prices differ, are not asked."""
    name = model.lower()
    for provider in providers:
        if provider.model_match is not None and provider.model_match.is_match(name):
            return provider.find_model(name, all_providers=providers)
    return None


def _read_price(known: ModelPrice) -> Price | None:
    """The package's price as ours; None where it does not price both input and output tokens, as for speech."""
    if known.input_mtok is None or known.output_mtok is None:
        return None
    kinds = (known.input_mtok, known.cache_read_mtok, known.cache_write_mtok, known.output_mtok)
    tiers = (kind.tiers for kind in kinds if isinstance(kind, TieredPrices))
    starts = sorted({tier.start for of_kind in tiers for tier in of_kind})
    return Price(_rates(known, 0), tuple(Step(start, _rates(known, start + 1)) for start in starts))


def _rates(known: ModelPrice, input_tokens: int) -> Rates:
    plain = _rate(known.input_mtok, input_tokens, Decimal(0))
    return Rates(
        input=plain,
        cached_input=_rate(known.cache_read_mtok, input_tokens, plain),
        cache_write=_rate(known.cache_write_mtok, input_tokens, plain),
        output=_rate(known.output_mtok, input_tokens, Decimal(0)),
    )


def _rate(known: Decimal | TieredPrices | None, input_tokens: int, otherwise: Decimal) -> Decimal:
    if known is None:
        return otherwise
    if isinstance(known, Decimal):
        return known
    reached = [tier.price for tier in known.tiers if input_tokens > tier.start]
    return reached[-1] if reached else known.base
