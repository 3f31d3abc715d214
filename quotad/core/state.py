"""What a plan is made on, and what it consists of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from quotad.core.windows import window_at
from quotad.values import ApiKey, Limit, LimitOwner, LimitStatus, Reservation, ReservationState

CONCURRENCY = "concurrency"
REQUESTS = "requests"
TOTAL_TOKENS = "total_tokens"


class WindowKey(NamedTuple):
    """A window row's identity inside its tenant; its order is the order in which rows are locked."""

    limit_id: str
    window_start: datetime


@dataclass(frozen=True, slots=True)
class WindowState:
    """What a window row holds."""

    reset_time: datetime | None
    held: int = 0
    used: int = 0
    max_value: int = 0
    """The limit's maximum at the moment, also for a limit that has been removed."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A limit that binds a key, its own or a group's, with what places its windows in time."""

    limit: Limit
    owner: LimitOwner
    create_time: datetime

    def window_key(self, now: datetime) -> WindowKey:
        return WindowKey(self.limit.limit_id, window_at(self.limit.window, self.create_time, now).start)

    def reset_time(self, now: datetime) -> datetime | None:
        return window_at(self.limit.window, self.create_time, now).reset_time


@dataclass(frozen=True, slots=True)
class KeyConfig:
    """A key and the rules that bind it, its own first and then its groups' up to the root.

    All of it as the configuration stood at `config_version` of the key's tenant.
    """

    api_key: ApiKey
    rules: tuple[Rule, ...]
    config_version: int

    def is_usable(self, now: datetime) -> bool:
        key = self.api_key
        return not (key.disabled or key.delete_time or (key.expire_time and key.expire_time <= now))

    def allows(self, model: str) -> bool:
        return not self.api_key.allowed_models or any(
            pattern_matches(pattern, model) for pattern in self.api_key.allowed_models
        )

    def rules_for(self, model: str) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if pattern_matches(rule.limit.model_pattern, model))


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
        floor = self.lease_floor or reservation.expire_time
        return self.now >= max(reservation.expire_time, floor)


@dataclass(frozen=True, slots=True)
class ReservationWrite:
    """A row to write if it is still in `expected_state`; None where it must not exist yet."""

    reservation: Reservation
    expected_state: ReservationState | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class WindowWrite:
    """A change of one window row, made on what the plan found in it."""

    key: WindowKey
    held_delta: int
    used_delta: int
    expected_held: int
    expected_used: int


@dataclass(frozen=True, slots=True)
class Writes:
    """All that a plan changes. Empty means that nothing has to be written."""

    reservations: tuple[ReservationWrite, ...] = ()
    windows: tuple[WindowWrite, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.reservations or self.windows)


def pattern_matches(pattern: str, model: str) -> bool:
    """Empty matches every model, `prefix*` those that begin so, anything else exactly itself."""
    if pattern.endswith("*"):
        return model.startswith(pattern[:-1])
    return not pattern or pattern == model


def limit_status(rule: Rule, key: WindowKey, window: WindowState) -> LimitStatus:
    """A rule with what one of its windows holds."""
    return LimitStatus(rule.limit, rule.owner, window.used, window.held, key.window_start, window.reset_time)
