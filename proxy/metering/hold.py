"""How much a request holds before anything is known of its usage.

A hold that is too small lets a limit be overrun, one that is too large locks out honest callers: so only JSON values
that carry text count as text, and images and context that lies upstream have numbers of their own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proxy.metering.pricing import COST, Price, microusd, tokens_cost
from proxy.metering.usage import Amounts

TEXT_FIELDS = (
    *("input", "instructions", "tools", "text", "prompt"),
    *("messages", "functions", "response_format", "prediction"),
)
"""Top-level fields that a model reads, of the Responses API and of Chat Completions."""
NAMES_NOT_TEXT = frozenset(
    ("id", "type", "role", "status", "object", "call_id", "item_id", "phase", "detail", "encrypted_content")
)
"""Identifiers, and what is opaque: its size in bytes says nothing about tokens."""
NAMES_OF_CONTEXT = frozenset(("file_id", "file_ids", "file_url", "file_data", "vector_store_ids"))
"""They stand for content whose size in tokens is not in the request."""
NAMES_OF_PIECES = frozenset(("image_url", "input_audio"))
"""What they hold is no text, whatever its size."""
UPSTREAM_CONTEXT_FIELDS = ("previous_response_id", "conversation")
IMAGE_PREFIX = "data:image/"


@dataclass(frozen=True, slots=True)
class HoldSizes:
    """The numbers that size a hold; all are settings."""

    bytes_per_token: float
    image_tokens: int
    upstream_context_tokens: int
    default_output_tokens: int
    compact_output_tokens_max: int
    min_output_tokens: int


@dataclass(frozen=True, slots=True)
class HoldAmounts:
    """What to reserve, and the least to accept."""

    amounts: Amounts
    min_amounts: Amounts


@dataclass(slots=True)
class Contents:
    """What was found in a request."""

    text_bytes: int = 0
    images: int = 0
    has_context: bool = False


def size_hold(
    content: Mapping[str, Any],
    sizes: HoldSizes,
    *,
    is_compact: bool,
    key_output_tokens: int = 0,
    context_tokens: int | None = None,
    maximum_fields: Sequence[str] = ("max_output_tokens",),
    choices: int = 1,
) -> HoldAmounts:
    """The amounts for a request; `key_output_tokens` is its key's default, 0 where it has none.

    The caller's own maximum is in one of `maximum_fields`, for each of the `choices` that it wants. No answer is longer
    than what its model can write at once, whatever maximum is asked for: `context_tokens`.
    """
    input_tokens = size_input(content, sizes)
    asked = max(_maximum(content, name) for name in maximum_fields)
    if is_compact:
        output_tokens = min(math.ceil(input_tokens / 2), sizes.compact_output_tokens_max)
    else:
        output_tokens = asked or key_output_tokens or sizes.default_output_tokens
    if context_tokens is not None:
        output_tokens = min(output_tokens, context_tokens)
    least = choices * min(sizes.min_output_tokens, output_tokens)
    output_tokens *= choices
    return HoldAmounts(_amounts(input_tokens, output_tokens), _amounts(input_tokens, least))


def with_cost(hold: HoldAmounts, price: Price | None) -> HoldAmounts:
    """The hold with its cost. Each metric is clipped on its own, so the least cost is that of the least output."""
    if price is None:
        return hold
    return HoldAmounts(_priced(hold.amounts, price), _priced(hold.min_amounts, price))


def size_input(content: Mapping[str, Any], sizes: HoldSizes) -> int:
    """Input tokens: text by its UTF-8 bytes, images and context by the piece."""
    found = survey(content)
    tokens = math.ceil(found.text_bytes / sizes.bytes_per_token) + found.images * sizes.image_tokens
    return tokens + (sizes.upstream_context_tokens if found.has_context else 0)


def survey(content: Mapping[str, Any]) -> Contents:
    """What of a request a model would read."""
    found = Contents(has_context=any(content.get(name) for name in UPSTREAM_CONTEXT_FIELDS))
    # A stack, not recursion: a body may be nested as deeply as its parser allows.
    waiting: list[tuple[str, object]] = [(name, content.get(name)) for name in TEXT_FIELDS]
    while waiting:
        name, value = waiting.pop()
        match value:
            case str():
                _note_text(found, name, value)
            case list():
                waiting.extend((name, item) for item in value)
            case dict():
                _note_object(found, name, value)
                waiting.extend(item for item in value.items() if item[0] not in NAMES_OF_PIECES)
    return found


def _note_text(found: Contents, name: str, value: str) -> None:
    if name in NAMES_OF_CONTEXT:
        found.has_context = True
    elif value.startswith(IMAGE_PREFIX):
        found.images += 1
    elif name not in NAMES_NOT_TEXT:
        found.text_bytes += len(value) if value.isascii() else len(value.encode(errors="replace"))


def _note_object(found: Contents, name: str, value: Mapping[str, object]) -> None:
    if value.get("input_audio"):
        found.has_context = True
    if value.get("image_url") or value.get("type") == "input_image":
        found.images += 1
    # A stored prompt, or an item of an earlier answer, is named here and lies upstream.
    if (name == "prompt" and value.get("id")) or value.get("type") == "item_reference":
        found.has_context = True


def _maximum(content: Mapping[str, Any], name: str) -> int:
    """The caller's own maximum; 0 where there is none."""
    value = content.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _priced(amounts: Amounts, price: Price) -> Amounts:
    cost = tokens_cost(price, amounts["input_tokens"], amounts["output_tokens"])
    return {**amounts, COST: microusd(cost)}


def _amounts(input_tokens: int, output_tokens: int) -> Amounts:
    return {
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "total_tokens": input_tokens + output_tokens,
    }
