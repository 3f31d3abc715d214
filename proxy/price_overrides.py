"""An operator's own prices of models, in USD per million tokens, as they are written wherever they are kept.

    {"my-model": {"input": 0.5, "output": 2}, "gpt-5*": {"input": "1.25", "cached_input": 0.125, "output": 10}}

A name is exact or `prefix*`; cached input costs what other input costs unless it is given.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

OVERRIDES_MAX = 1_000
PATTERN_BYTES_MAX = 256
USD_MAX = Decimal(1_000_000)
"""A dollar a token: above it someone has mistaken the unit."""
KINDS = ("input", "cached_input", "output")


class PricesInvalid(ValueError):
    """The prices cannot be read; the message names the model and what is wrong."""


@dataclass(frozen=True, slots=True)
class PriceOverride:
    """USD per million tokens for the models that a pattern names."""

    model_pattern: str
    """Exact name, or `prefix*`."""
    input_usd: Decimal
    output_usd: Decimal
    cached_input_usd: Decimal | None = None


def parse_price_overrides(text: str) -> tuple[PriceOverride, ...]:
    """The overrides in a JSON text, none where it is empty; raises `PricesInvalid`."""
    if not text.strip():
        return ()
    try:
        content = json.loads(text, parse_float=Decimal, object_pairs_hook=_once)
    except PricesInvalid:
        raise
    except (ValueError, RecursionError) as exc:
        raise PricesInvalid("not valid JSON") from exc
    return read_price_overrides(content)


def read_price_overrides(content: object) -> tuple[PriceOverride, ...]:
    """The overrides in parsed JSON; raises `PricesInvalid`."""
    if not isinstance(content, Mapping):
        raise PricesInvalid("expected a JSON object: model names, or prefix*, with their prices")
    if len(content) > OVERRIDES_MAX:
        raise PricesInvalid(f"at most {OVERRIDES_MAX} models")
    return tuple(_override(pattern, prices) for pattern, prices in content.items())


def _override(pattern: object, prices: object) -> PriceOverride:
    if not isinstance(pattern, str) or not _is_pattern(pattern):
        raise PricesInvalid(f"{str(pattern)[:PATTERN_BYTES_MAX]!r} is neither a model's name nor prefix*")
    if not isinstance(prices, Mapping):
        raise PricesInvalid(f"{pattern}: expected an object with {', '.join(KINDS)}")
    unknown = sorted(str(name) for name in prices.keys() - set(KINDS))
    if unknown:
        raise PricesInvalid(f"{pattern}: {unknown[0]!r} is none of {', '.join(KINDS)}")
    cached = prices.get("cached_input")
    return PriceOverride(
        model_pattern=pattern,
        input_usd=_usd(pattern, "input", prices.get("input")),
        output_usd=_usd(pattern, "output", prices.get("output")),
        cached_input_usd=None if cached is None else _usd(pattern, "cached_input", cached),
    )


def _is_pattern(text: str) -> bool:
    return bool(text) and "*" not in text[:-1] and len(text.encode(errors="replace")) <= PATTERN_BYTES_MAX


def _usd(pattern: str, kind: str, value: object) -> Decimal:
    if value is None:
        raise PricesInvalid(f"{pattern}: {kind} is missing")
    try:
        # A float is what it looks like, not the binary fraction next to it.
        usd = Decimal(str(value)) if isinstance(value, str | int | float | Decimal) else None
    except InvalidOperation:
        usd = None
    if usd is None or isinstance(value, bool) or not usd.is_finite() or not 0 <= usd <= USD_MAX:
        raise PricesInvalid(f"{pattern}: {kind} must be 0 to {USD_MAX} USD per million tokens")
    return usd


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        raise PricesInvalid(f"{next(name for name in names if names.count(name) > 1)!r} is given more than once")
    return content
