"""What a proxy does for a key where a request does not say, as the page writes and reads it."""

from __future__ import annotations

from pydantic import Field

from dashboard.api.schema import Answer, Input
from quotad.client.types import KeyPolicies, OnMissingUsage, OnQuotadUnavailable, OnUnknownPrice
from quotad.client.types import TokenPrice as TokenPriceValue
from quotad.client.types import UnavailableAllowance as UnavailableAllowanceValue


class UnavailableAllowance(Answer):
    """What each proxy may admit for the key while no quotad answers: at most `requests` in any `seconds`."""

    requests: int
    seconds: int


class TokenPrice(Answer):
    """In micro-USD."""

    microusd_per_million_input_tokens: int
    microusd_per_million_output_tokens: int


class Policies(Answer):
    """What a proxy does for a key where a request does not say."""

    on_missing_usage: OnMissingUsage
    default_output_tokens: int
    """0 leaves it to the proxy."""
    on_quotad_unavailable: OnQuotadUnavailable
    unavailable_allowance: UnavailableAllowance | None
    """There exactly where `onQuotadUnavailable` is `open`."""
    on_unknown_price: OnUnknownPrice
    default_price: TokenPrice | None
    """There exactly where `onUnknownPrice` is `default`."""


class NewUnavailableAllowance(Input):
    """At most `requests` in any `seconds`, for each proxy."""

    requests: int
    seconds: int

    def value(self) -> UnavailableAllowanceValue:
        return UnavailableAllowanceValue(self.requests, self.seconds)


class NewTokenPrice(Input):
    """In micro-USD."""

    microusd_per_million_input_tokens: int
    microusd_per_million_output_tokens: int

    def value(self) -> TokenPriceValue:
        return TokenPriceValue(self.microusd_per_million_input_tokens, self.microusd_per_million_output_tokens)


class NewPolicies(Input):
    """All policies of a key; what is left out takes its default."""

    on_missing_usage: OnMissingUsage = OnMissingUsage.RELEASE
    default_output_tokens: int = Field(default=0, ge=0, description="0 leaves it to the proxy.")
    on_quotad_unavailable: OnQuotadUnavailable = OnQuotadUnavailable.CLOSED
    unavailable_allowance: NewUnavailableAllowance | None = None
    on_unknown_price: OnUnknownPrice = OnUnknownPrice.REFUSE
    default_price: NewTokenPrice | None = None

    def value(self) -> KeyPolicies:
        return KeyPolicies(
            on_missing_usage=self.on_missing_usage,
            default_output_tokens=self.default_output_tokens,
            on_quotad_unavailable=self.on_quotad_unavailable,
            unavailable_allowance=self.unavailable_allowance.value() if self.unavailable_allowance else None,
            on_unknown_price=self.on_unknown_price,
            default_price=self.default_price.value() if self.default_price else None,
        )
