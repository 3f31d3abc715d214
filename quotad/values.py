"""The ledger's vocabulary as immutable values: one word per idea, shared by core, store, server and client.

Times are timezone-aware and come from the database's clock. Amounts are int64 in the smallest unit of their
metric; there are no floats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, StrEnum, auto

Amounts = Mapping[str, int]
"""Metric to amount."""

DEFAULT_TENANT = "default"


class Unset(Enum):
    """The type of `UNSET`: a field that an edit does not touch, where None has a meaning of its own."""

    UNSET = auto()


UNSET = Unset.UNSET


class ReservationState(StrEnum):
    """`RESERVED -> FINALIZED | RELEASED | EXPIRED`, `EXPIRED -> FINALIZED | RELEASED`; nothing else."""

    RESERVED = "reserved"
    FINALIZED = "finalized"
    RELEASED = "released"
    EXPIRED = "expired"


class Basis(StrEnum):
    """On what the amounts of a settlement rest."""

    REPORTED = "reported"
    ESTIMATED = "estimated"
    RESERVED = "reserved"
    NONE = "none"


class Enforcement(StrEnum):
    """A shadow limit counts like any other but never refuses or clips."""

    ENFORCE = "enforce"
    SHADOW = "shadow"


class WindowKind(StrEnum):
    """The kind of period a limit counts in; `FIXED` windows run in seconds from the limit's creation."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    FIXED = "fixed"
    LIFETIME = "lifetime"


class BlockedBy(StrEnum):
    """What fills a window that refuses: usage frees at its reset, holds as they settle."""

    USED = "used"
    HELD = "held"


class LimitsView(StrEnum):
    """Which limits an answer lists."""

    NONE = "none"
    VIOLATED = "violated"
    ALL = "all"


class ReservationView(StrEnum):
    """How much of a reservation an answer tells; `BRIEF` leaves out what its caller knows."""

    FULL = "full"
    BRIEF = "brief"


class OnMissingUsage(StrEnum):
    """What to charge when an upstream failed, after something was relayed, without a usage report."""

    RELEASE = "release"
    ESTIMATE = "estimate"
    RESERVED = "reserved"


class OnQuotadUnavailable(StrEnum):
    """What a proxy does while no quotad answers; `OPEN` admits what the allowance leaves and charges it later."""

    CLOSED = "closed"
    OPEN = "open"


class OnUnknownPrice(StrEnum):
    """What a proxy does where a limit counts cost and the model's price is not known."""

    REFUSE = "refuse"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Window:
    """The period a limit counts in."""

    kind: WindowKind
    seconds: int = 0
    """Length of a `FIXED` window; 0 for the others."""
    time_zone: str = "UTC"
    """IANA zone that a calendar window follows."""

    def __str__(self) -> str:
        """As commands write it: `day`, `18000s`, `lifetime`."""
        return f"{self.seconds}s" if self.kind is WindowKind.FIXED else self.kind.value


@dataclass(frozen=True, slots=True)
class LimitOwner:
    """The key or the group that a limit belongs to; the other id is empty."""

    api_key_id: str
    name: str
    group_id: str = ""


@dataclass(frozen=True, slots=True)
class Limit:
    """A rule of a key or a group. Its identity is (owner, metric, window, time zone, model pattern)."""

    metric: str
    window: Window
    max_value: int
    model_pattern: str = ""
    """A model's exact name or `prefix*`; empty matches every model."""
    enforcement: Enforcement = Enforcement.ENFORCE
    limit_id: str = ""
    """Given by the daemon."""


@dataclass(frozen=True, slots=True)
class LimitStatus:
    """A limit and what its current window holds."""

    limit: Limit
    owner: LimitOwner
    used: int
    held: int
    window_start: datetime
    reset_time: datetime | None
    """None for a `LIFETIME` window."""

    @property
    def available(self) -> int:
        return max(0, self.limit.max_value - self.used - self.held)


@dataclass(frozen=True, slots=True)
class Violation:
    """One limit that refuses a request."""

    status: LimitStatus
    requested: int
    """The least that the caller would have accepted."""
    blocked_by: BlockedBy

    @property
    def never_fits(self) -> bool:
        """No wait helps: the request is larger than the whole limit."""
        return self.requested > self.status.limit.max_value


@dataclass(frozen=True, slots=True)
class Denial:
    """Why a reservation does not fit: every limit that it violates."""

    violations: tuple[Violation, ...]
    retry_after: timedelta | None
    """The earliest moment at which it could fit if nothing else were admitted; None where waiting does not help."""
    now: datetime | None = field(default=None, compare=False)
    """The database's time when it was judged; not on the wire."""

    @property
    def never_fits(self) -> bool:
        return any(violation.never_fits for violation in self.violations)


@dataclass(frozen=True, slots=True)
class Hold:
    """What one reservation takes from one limit's window."""

    limit_id: str
    metric: str
    window_start: datetime
    reset_time: datetime | None
    held: int
    charged: int = 0
    over_by: int = 0
    """By how much the charge took the window past its limit's maximum."""

    @property
    def window(self) -> tuple[str, datetime]:
        """Limit and start: the identity of the window that it is held in."""
        return self.limit_id, self.window_start


@dataclass(frozen=True, slots=True)
class Reservation:
    """One request's holds, under an id that the client chose."""

    reservation_id: str
    tenant_id: str
    api_key_id: str
    model: str
    state: ReservationState
    requested: Amounts
    reserved: Amounts
    holds: tuple[Hold, ...]
    create_time: datetime
    expire_time: datetime
    min_amounts: Amounts = field(default_factory=dict)
    actual: Amounts = field(default_factory=dict)
    settle_time: datetime | None = None
    late: bool = False
    unreserved: bool = False
    basis: Basis | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    forced_reason: str = ""
    """Why an operator gave its hold back by force; empty where none did."""


@dataclass(frozen=True, slots=True)
class UnavailableAllowance:
    """What each proxy may admit for a key while no quotad answers: at most `requests` in any `seconds`."""

    requests: int
    seconds: int


@dataclass(frozen=True, slots=True)
class TokenPrice:
    """In micro-USD."""

    microusd_per_million_input_tokens: int
    microusd_per_million_output_tokens: int


@dataclass(frozen=True, slots=True)
class KeyPolicies:
    """What a proxy does for a key where the request does not say."""

    on_missing_usage: OnMissingUsage = OnMissingUsage.RELEASE
    default_output_tokens: int = 0
    """Output tokens held when a request names no maximum; 0 leaves it to the proxy."""
    on_quotad_unavailable: OnQuotadUnavailable = OnQuotadUnavailable.CLOSED
    unavailable_allowance: UnavailableAllowance | None = None
    """There exactly where `on_quotad_unavailable` is `OPEN`."""
    on_unknown_price: OnUnknownPrice = OnUnknownPrice.REFUSE
    default_price: TokenPrice | None = None
    """There exactly where `on_unknown_price` is `DEFAULT`."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as its operator sees it; never its secret."""

    api_key_id: str
    tenant_id: str
    name: str
    secret_prefix: str
    limits: tuple[Limit, ...]
    create_time: datetime
    update_time: datetime
    etag: str
    disabled: bool = False
    expire_time: datetime | None = None
    delete_time: datetime | None = None
    allowed_models: tuple[str, ...] = ()
    """Exact names or `prefix*`; empty allows every model."""
    policies: KeyPolicies = KeyPolicies()
    group_id: str = ""
    """The group whose limits, and those above it, bind the key too; empty for none."""
    old_secrets_expire_time: datetime | None = None
    """When the last of the secrets that rotations replaced stops working."""


@dataclass(frozen=True, slots=True)
class GroupName:
    """One step of the path from a tree's root to a key."""

    group_id: str
    name: str


@dataclass(frozen=True, slots=True)
class KeyDescription:
    """A key and the state of all limits that bind it at one moment: its own, then its groups' up to the root."""

    api_key: ApiKey
    limits: tuple[LimitStatus, ...]
    server_time: datetime
    group_path: tuple[GroupName, ...] = ()
    """From the root down to the key's own group."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a reservation id is looked up: at most one field is set; none means the tenant `default`."""

    tenant_id: str | None = None
    api_key: str | None = field(default=None, repr=False)
    api_key_id: str | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """Which key a call is about: its secret, or its id."""

    api_key: str | None = field(default=None, repr=False)
    api_key_id: str | None = None


def pattern_matches(pattern: str, model: str) -> bool:
    """Empty matches every model, `prefix*` those that begin so, anything else exactly itself."""
    if pattern.endswith("*"):
        return model.startswith(pattern[:-1])
    return not pattern or pattern == model
