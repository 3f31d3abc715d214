"""What a plan is made on, and what it consists of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeAlias

from quotad.core.windows import window_at
from quotad.values import ApiKey, Limit, LimitOwner, LimitStatus, Reservation, pattern_matches

CONCURRENCY = "concurrency"
REQUESTS = "requests"
TOTAL_TOKENS = "total_tokens"
LONG_AGO = datetime.min.replace(tzinfo=UTC)
PLACEMENTS_MAX = 32
"""Models per key whose windows are remembered; a caller may invent any number of them."""


WindowKey: TypeAlias = tuple[str, datetime]
"""A window row's identity inside its tenant: limit and start. Its order is the order in which rows are locked."""


@dataclass(frozen=True, slots=True)
class WindowState:
    """What a window row holds."""

    reset_time: datetime | None
    held: int = 0
    used: int = 0
    max_value: int = 0
    """The limit's maximum at the moment, also for a limit that has been removed."""
    is_stored: bool = True
    """False for a window that nobody has used: its row is made when something is taken from it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A limit that binds a key, its own or a group's, with what places its windows in time."""

    limit: Limit
    owner: LimitOwner
    create_time: datetime

    def placed(self, moment: datetime) -> Placed:
        span = window_at(self.limit.window, self.create_time, moment)
        return Placed(self, (self.limit.limit_id, span.start), span.reset_time)


class Placed(NamedTuple):
    """A rule with the window that a moment lies in."""

    rule: Rule
    key: WindowKey
    reset_time: datetime | None


class Placement(NamedTuple):
    """The rules for one model, placed; good from `valid_from` until one of the windows ends."""

    rules: tuple[Placed, ...]
    valid_from: datetime
    valid_until: datetime | None


@dataclass(frozen=True, slots=True)
class KeyConfig:
    """A key and the rules that bind it, its own first and then its groups' up to the root.

    All of it as the configuration stood at `config_version` of the key's tenant.
    """

    api_key: ApiKey
    rules: tuple[Rule, ...]
    config_version: int
    _placements: dict[str, Placement] = field(default_factory=dict, compare=False, repr=False)
    """By model: finding windows takes a walk through a time zone, and most requests fall into the same ones."""

    def is_usable(self, now: datetime) -> bool:
        key = self.api_key
        return not (key.disabled or key.delete_time or (key.expire_time and key.expire_time <= now))

    def allows(self, model: str) -> bool:
        return not self.api_key.allowed_models or any(
            pattern_matches(pattern, model) for pattern in self.api_key.allowed_models
        )

    def placed(self, model: str, moment: datetime) -> tuple[Placed, ...]:
        """The rules that apply to a model, each with its window at `moment`."""
        known = self._placements.get(model)
        if known and known.valid_from <= moment and (known.valid_until is None or moment < known.valid_until):
            return known.rules
        if len(self._placements) >= PLACEMENTS_MAX:
            self._placements.clear()
        made = _placement(self.rules, model, moment)
        self._placements[model] = made
        return made.rules


@dataclass(frozen=True, slots=True)
class LedgerState:
    """The locked rows of one tenant, the keys that they concern, and the clock that decides."""

    tenant_id: str
    now: datetime
    lease_floor: datetime | None
    default_lease: timedelta
    horizon: timedelta
    keys: Mapping[str, KeyConfig] = field(default_factory=dict)
    reservations: Mapping[str, Reservation] = field(default_factory=dict)
    windows: Mapping[WindowKey, WindowState] = field(default_factory=dict)

    def is_lapsed(self, reservation: Reservation) -> bool:
        """The one predicate of lapsing, for admission, Renew, settling, sweeper and reads alike."""
        return self.now >= self.lapses_at(reservation)

    def lapses_at(self, reservation: Reservation) -> datetime:
        """When the lease is over unless it is renewed; never while clients get the time to renew after an outage."""
        return max(reservation.expire_time, self.lease_floor or reservation.expire_time)


@dataclass(frozen=True, slots=True)
class ReservationWrite:
    """A row to write if it still stands as `found`; None where it must not exist yet."""

    reservation: Reservation
    found: Reservation | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class WindowWrite:
    """A change of one window row, made on what the plan found in it.

    The plan stays right on other rows too, as long as what it admitted fits and what it charged stays below the
    maximum; where it refused, clipped or overran a limit it needs the row exactly as found.
    """

    key: WindowKey
    found: WindowState
    held_delta: int
    used_delta: int
    room: int
    """The most that was taken on the way, above what was found."""
    is_exact: bool


@dataclass(frozen=True, slots=True)
class Writes:
    """All that a plan changes, and what it rests on. Empty means that nothing has to be written."""

    reservations: tuple[ReservationWrite, ...] = ()
    windows: tuple[WindowWrite, ...] = ()
    checked: tuple[tuple[WindowKey, WindowState], ...] = ()
    """Windows that do not change, and that a decision rests on."""
    absent_ids: tuple[str, ...] = ()
    """Ids that were refused as unknown ones."""
    valid_from: datetime | None = None
    """From when until when the plan is right: its windows contain the clock, and no lease that it took for running
    has lapsed."""
    valid_until: datetime | None = None

    def __bool__(self) -> bool:
        return bool(self.reservations)


def limit_status(placed: Placed, used: int, held: int) -> LimitStatus:
    """A rule with what its window holds."""
    rule = placed.rule
    return LimitStatus(rule.limit, rule.owner, used, held, placed.key[1], placed.reset_time)


def _placement(rules: tuple[Rule, ...], model: str, moment: datetime) -> Placement:
    placed = tuple(rule.placed(moment) for rule in rules if pattern_matches(rule.limit.model_pattern, model))
    spans = [(one.key[1], one.reset_time) for one in placed if one.reset_time is not None]
    start = max((start for start, _ in spans), default=LONG_AGO)
    return Placement(placed, start, min((reset_time for _, reset_time in spans), default=None))
