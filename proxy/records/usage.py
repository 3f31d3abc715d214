"""Usage windows of upstream accounts: what an upstream tells of how much of an account is used, and how it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

WINDOW_MINUTES_MAX = 7 * 24 * 60
"""The longest window known; one that says neither its length nor its reset is over by then."""
FULL_PERCENT = 100.0


class UsageWindow(StrEnum):
    """The two windows that an account may have: a short one, and a long one."""

    PRIMARY = "primary"
    SECONDARY = "secondary"


class SampleSource(StrEnum):
    """Where a sample was read."""

    FETCH = "fetch"
    """The account's `usage_url`."""
    HEADERS = "headers"
    """The `x-codex-*` headers of an answer."""


@dataclass(frozen=True, slots=True)
class WindowUsage:
    """How much of one window was used at one moment."""

    used_percent: float
    window_minutes: int | None
    reset_time: datetime | None
    sample_time: datetime
    source: SampleSource

    @property
    def end_time(self) -> datetime:
        """When the window is over and says nothing any more."""
        minutes = self.window_minutes or WINDOW_MINUTES_MAX
        return self.reset_time or self.sample_time + timedelta(minutes=minutes)

    def used_percent_at(self, now: datetime) -> float:
        """What is known to be used: nothing, once the window is over."""
        return self.used_percent if now < self.end_time else 0.0

    def is_exhausted_at(self, now: datetime) -> bool:
        return self.used_percent_at(now) >= FULL_PERCENT


@dataclass(frozen=True, slots=True)
class Credits:
    """What an account may use beyond its windows."""

    has_credits: bool
    is_unlimited: bool
    balance: Decimal | None
    sample_time: datetime
    source: SampleSource


@dataclass(frozen=True, slots=True)
class AccountUsage:
    """The newest sample of each part that an account reports; or what one answer said."""

    primary: WindowUsage | None = None
    secondary: WindowUsage | None = None
    credits: Credits | None = None

    @property
    def windows(self) -> tuple[WindowUsage, ...]:
        return tuple(window for window in (self.primary, self.secondary) if window is not None)

    @property
    def is_empty(self) -> bool:
        return not self.windows and self.credits is None

    def merged(self, other: AccountUsage) -> AccountUsage:
        """Each part as the newer of the two has it; where they are as old as each other, as `other` has it."""
        return AccountUsage(
            _newer(self.primary, other.primary),
            _newer(self.secondary, other.secondary),
            _newer(self.credits, other.credits),
        )


NO_USAGE = AccountUsage()

Part = TypeVar("Part", WindowUsage, Credits)


def _newer(one: Part | None, other: Part | None) -> Part | None:
    if one is None or other is None:
        return one or other
    return one if one.sample_time > other.sample_time else other
