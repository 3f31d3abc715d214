"""What operators read of the ledger: usage, refusals, pages of them, and windows that do not add up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from quotad.values import BlockedBy, Enforcement, Limit, LimitOwner

Item = TypeVar("Item")


class LimitOrder(StrEnum):
    """In what order limits are listed."""

    UTILISATION = "utilisation"
    """The fullest first."""
    RESET = "reset"
    """The soonest reset first; those that never reset, or whose window is untouched, last."""


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items of a list; an empty `next_page_token` means that these were the last."""

    items: tuple[Item, ...]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class UsageTotal:
    """What one key was charged for one model in one hour, in one metric."""

    hour: datetime
    api_key_id: str
    model: str
    metric: str
    amount: int


@dataclass(frozen=True, slots=True)
class RefusalSample:
    """One refusal, with what explains it."""

    time: datetime
    model: str
    requested: int
    """The least that the caller would have accepted."""
    used: int
    held: int
    max_value: int
    blocked_by: BlockedBy

    @property
    def never_fits(self) -> bool:
        return self.requested > self.max_value


@dataclass(frozen=True, slots=True)
class RefusalCount:
    """How often one limit refused one key in one minute."""

    minute: datetime
    api_key_id: str
    limit: Limit
    """As it stands at the time of reading."""
    owner: LimitOwner
    enforcement: Enforcement
    """As it was: `SHADOW` only noted what it would have refused."""
    refused: int
    samples: tuple[RefusalSample, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """A window row that does not add up."""

    tenant_id: str
    limit_id: str
    window_start: datetime
    held: int
    held_by_reservations: int
    used: int
    charged_to_reservations: int
    """What its finalized reservations were charged, with what purged ones were."""
