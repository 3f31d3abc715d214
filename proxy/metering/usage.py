"""Usage as an upstream reports it. What is missing or malformed is unknown, never zero."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

Amounts = Mapping[str, int]
"""Metric to amount, as the ledger takes them."""

TOKENS_MAX = 10**12
"""The largest amount that the ledger takes."""

NAME_CHARS_MAX = 256
"""As much of a model's name as is read; no real one is longer."""


class UsageNames(NamedTuple):
    """What the members of a `usage` object are called."""

    input_tokens: str = "input_tokens"
    output_tokens: str = "output_tokens"
    input_details: str = "input_tokens_details"
    output_details: str = "output_tokens_details"


RESPONSES_NAMES = UsageNames()


@dataclass(frozen=True, slots=True)
class Usage:
    """What one answer used, in tokens."""

    input_tokens: int
    output_tokens: int
    total_tokens: int
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0
    cache_write_tokens: int = 0
    """Input that the upstream wrote into its cache, which some models price on its own."""
    model: str = ""
    """Which one answered; empty where the answer does not say, and in a sum."""
    service_tier: str = ""
    """Likewise; it decides on the price."""

    @property
    def amounts(self) -> Amounts:
        """As the ledger charges it."""
        return {
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "total_tokens": self.total_tokens,
        }


@dataclass(frozen=True, slots=True)
class Terminal:
    """How an answer ended: the event that ends a stream, or what a whole answer says."""

    type: str
    usage: Usage | None
    error_code: str | None = None
    error_message: str | None = None

    @property
    def is_failure(self) -> bool:
        return self.type in ("response.failed", "error")


def sum_usage(usages: Iterable[Usage]) -> Usage | None:
    """What several attempts of one request used together; None where none reported."""
    reported = tuple(usages)
    if not reported:
        return None
    return Usage(
        input_tokens=sum(usage.input_tokens for usage in reported),
        output_tokens=sum(usage.output_tokens for usage in reported),
        total_tokens=sum(usage.total_tokens for usage in reported),
        cached_input_tokens=sum(usage.cached_input_tokens for usage in reported),
        reasoning_tokens=sum(usage.reasoning_tokens for usage in reported),
        cache_write_tokens=sum(usage.cache_write_tokens for usage in reported),
    )


def read_report(answer: Mapping[str, Any], names: UsageNames = RESPONSES_NAMES) -> Usage | None:
    """What an answer reports, and of what; None where its usage is missing or malformed."""
    usage = read_usage(answer.get("usage"), names)
    if usage is None:
        return None
    return replace(usage, model=_name(answer.get("model")), service_tier=_name(answer.get("service_tier")))


def read_usage(value: object, names: UsageNames = RESPONSES_NAMES) -> Usage | None:
    """A `usage` object; None where it is missing or malformed."""
    if not isinstance(value, Mapping):
        return None
    input_tokens = _tokens(value.get(names.input_tokens))
    output_tokens = _tokens(value.get(names.output_tokens))
    if input_tokens is None or output_tokens is None or input_tokens + output_tokens > TOKENS_MAX:
        return None
    total_tokens = _tokens(value.get("total_tokens"))
    return Usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        total_tokens=input_tokens + output_tokens if total_tokens is None else total_tokens,
        cached_input_tokens=_detail(value, names.input_details, "cached_tokens"),
        reasoning_tokens=_detail(value, names.output_details, "reasoning_tokens"),
        cache_write_tokens=_detail(value, names.input_details, "cache_write_tokens"),
    )


def read_error(error: object) -> tuple[str | None, str | None]:
    """Code and message of an error object; a bare `error` event may wrap them once more."""
    if not isinstance(error, Mapping):
        return None, None
    inner = error.get("error")
    if isinstance(inner, Mapping):
        return read_error(inner)
    code = error.get("code") or error.get("type")
    # Some compatible servers put the HTTP status there, as a number.
    if isinstance(code, int) and not isinstance(code, bool):
        code = str(code)
    message = error.get("message")
    return (code if isinstance(code, str) else None), (message if isinstance(message, str) else None)


def read_object(data: bytes) -> Mapping[str, Any] | None:
    """The JSON object in `data`; None where there is none."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _tokens(value: object) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= TOKENS_MAX
    return value if is_count and isinstance(value, int) else None


def _name(value: object) -> str:
    return value[:NAME_CHARS_MAX] if isinstance(value, str) else ""


def _detail(usage: Mapping[str, Any], group: str, name: str) -> int:
    details = usage.get(group)
    value = details.get(name) if isinstance(details, Mapping) else None
    return _tokens(value) or 0
