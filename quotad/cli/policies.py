"""A key's policies as commands write them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Annotated

import typer

from quotad.values import (
    KeyPolicies,
    OnMissingUsage,
    OnQuotadUnavailable,
    OnUnknownPrice,
    TokenPrice,
    UnavailableAllowance,
)
from servicekit.commands import CommandNotBegun

MissingUsage = Annotated[OnMissingUsage | None, typer.Option(help="What to charge where the upstream reports nothing.")]
OutputTokens = Annotated[int | None, typer.Option(help="Output tokens held for a request that names no maximum.")]
QuotadUnavailable = Annotated[
    str | None,
    typer.Option(
        metavar="closed|open:REQUESTS/SECONDS",
        help="While no quotad answers, a proxy refuses, or admits so many requests in so many seconds.",
    ),
]
UnknownPrice = Annotated[
    str | None,
    typer.Option(
        metavar="refuse|default:INPUT/OUTPUT",
        help="Where a model's price is not known, refuse, or count these micro-USD per million tokens.",
    ),
]

_PAIR = re.compile(r"(?P<word>[a-z]+):(?P<first>[0-9]{1,18})/(?P<second>[0-9]{1,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class PolicyOptions:
    """The options of one command line; None leaves a policy as it is."""

    on_missing_usage: OnMissingUsage | None
    default_output_tokens: int | None
    on_quotad_unavailable: str | None
    on_unknown_price: str | None

    def __bool__(self) -> bool:
        given = (self.on_missing_usage, self.default_output_tokens, self.on_quotad_unavailable, self.on_unknown_price)
        return any(option is not None for option in given)

    def applied_to(self, policies: KeyPolicies) -> KeyPolicies:
        """The policies with what was given; raises `CommandNotBegun` for what cannot be read."""
        if self.on_missing_usage is not None:
            policies = replace(policies, on_missing_usage=self.on_missing_usage)
        if self.default_output_tokens is not None:
            policies = replace(policies, default_output_tokens=self.default_output_tokens)
        if self.on_quotad_unavailable is not None:
            policies = _when_unavailable(policies, self.on_quotad_unavailable)
        return policies if self.on_unknown_price is None else _when_unknown(policies, self.on_unknown_price)


def _when_unavailable(policies: KeyPolicies, text: str) -> KeyPolicies:
    if text == OnQuotadUnavailable.CLOSED:
        return replace(policies, on_quotad_unavailable=OnQuotadUnavailable.CLOSED, unavailable_allowance=None)
    pair = _pair(text, OnQuotadUnavailable.OPEN)
    if pair is None:
        raise CommandNotBegun(f"--on-quotad-unavailable {text}: write closed, or open:REQUESTS/SECONDS")
    allowance = UnavailableAllowance(*pair)
    return replace(policies, on_quotad_unavailable=OnQuotadUnavailable.OPEN, unavailable_allowance=allowance)


def _when_unknown(policies: KeyPolicies, text: str) -> KeyPolicies:
    if text == OnUnknownPrice.REFUSE:
        return replace(policies, on_unknown_price=OnUnknownPrice.REFUSE, default_price=None)
    pair = _pair(text, OnUnknownPrice.DEFAULT)
    if pair is None:
        raise CommandNotBegun(f"--on-unknown-price {text}: write refuse, or default:INPUT/OUTPUT in micro-USD")
    return replace(policies, on_unknown_price=OnUnknownPrice.DEFAULT, default_price=TokenPrice(*pair))


def _pair(text: str, word: str) -> tuple[int, int] | None:
    found = _PAIR.fullmatch(text)
    if found is None or found["word"] != word:
        return None
    return int(found["first"]), int(found["second"])
