"""What callers ask of the ledger, and what it answers.

An operation is validated when it reaches the core: see `quotad.core.validation`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import inf

from quotad.errors import QuotaError
from quotad.values import (
    Amounts,
    Basis,
    LimitStatus,
    LimitsView,
    Reservation,
    ReservationState,
    Scope,
    Subject,
    Violation,
)


@dataclass(frozen=True, slots=True)
class Reserve:
    """Take room in every limit of a key, or in none."""

    reservation_id: str
    subject: Subject
    model: str
    amounts: Amounts
    min_amounts: Amounts = field(default_factory=dict)
    lease: timedelta | None = None
    """None means the daemon's default lease."""
    labels: Mapping[str, str] = field(default_factory=dict)
    limits_view: LimitsView = LimitsView.ALL


@dataclass(frozen=True, slots=True)
class Renew:
    """Make the leases of some reservations longer."""

    scope: Scope
    reservation_ids: tuple[str, ...]
    lease: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Finalize:
    """Charge the actual amounts and give the rest back."""

    scope: Scope
    reservation_id: str
    amounts: Amounts
    basis: Basis | None = None
    allow_unreserved: bool = False
    model: str = ""
    age: timedelta = timedelta()
    labels: Mapping[str, str] = field(default_factory=dict)
    limits_view: LimitsView = LimitsView.NONE


@dataclass(frozen=True, slots=True)
class Release:
    """Give the whole hold back."""

    scope: Scope
    reservation_id: str
    reason: str = ""
    limits_view: LimitsView = LimitsView.NONE


@dataclass(frozen=True, slots=True)
class Read:
    """Look at one reservation; one whose lease has lapsed is moved to EXPIRED first."""

    scope: Scope
    reservation_id: str


@dataclass(frozen=True, slots=True)
class Check:
    """Ask what a `Reserve` would answer."""

    subject: Subject
    model: str
    amounts: Amounts
    min_amounts: Amounts = field(default_factory=dict)
    limits_view: LimitsView = LimitsView.ALL


@dataclass(frozen=True, slots=True)
class Describe:
    """Look at a key and the state of all its limits."""

    subject: Subject


@dataclass(frozen=True, slots=True)
class ReserveAnswer:
    """The room is held."""

    reservation: Reservation
    replayed: bool
    limits: tuple[LimitStatus, ...]
    server_time: datetime
    shadowed: tuple[Violation, ...] = ()
    """What shadow limits would have refused."""


@dataclass(frozen=True, slots=True)
class CheckAnswer:
    """What would be granted now."""

    reserved: Amounts
    limits: tuple[LimitStatus, ...]
    server_time: datetime


@dataclass(frozen=True, slots=True)
class SettleAnswer:
    """What a Finalize or Release found or did."""

    reservation: Reservation
    replayed: bool
    changed: bool
    limits: tuple[LimitStatus, ...]


@dataclass(frozen=True, slots=True)
class RenewAnswer:
    """One id's result: a lease, or why not."""

    reservation_id: str
    state: ReservationState | None
    expire_time: datetime | None
    error: QuotaError | None


@dataclass(frozen=True, slots=True)
class RenewOne:
    """One id of a `Renew`."""

    reservation_id: str
    lease: timedelta | None


@dataclass(frozen=True, slots=True)
class Expire:
    """Take a lapsed reservation out of `held`; nothing happens to one that is not lapsed, or not open."""

    reservation_id: str
    forced: bool = False
    """An operator ends its lease: it counts as lapsed."""


@dataclass(frozen=True, slots=True)
class ExpireAnswer:
    """Whether the reservation expired now."""

    reservation_id: str
    expired: bool


@dataclass(frozen=True, slots=True)
class ReadAnswer:
    """The reservation as it stands."""

    reservation: Reservation


Operation = Reserve | Renew | Finalize | Release | Read
"""What callers ask about reservations; `Check` and `Describe` only look at keys."""
Planned = Reserve | Finalize | Release | RenewOne | Read | Expire
PlanAnswer = ReserveAnswer | SettleAnswer | RenewAnswer | ReadAnswer | ExpireAnswer | QuotaError
Answer = ReserveAnswer | SettleAnswer | ReadAnswer | tuple[RenewAnswer, ...] | QuotaError
"""To an `Operation`; a `Renew` has one answer per id."""


@dataclass(frozen=True, slots=True)
class Bound:
    """An operation whose key, where it names one, has been looked up."""

    operation: Planned
    api_key_id: str = ""
    config_version: int | None = None
    """Of the tenant when the key's secret was looked up; None where the key was named by its id."""
    secret_expire_time: datetime | None = None
    """When the secret that named the key stops working, or stopped, because a rotation replaced it."""
    ends_at: float = inf
    """When, by the event loop's clock, its caller stops waiting: what has not been written by then is not."""

    @property
    def reservation_id(self) -> str:
        return self.operation.reservation_id
