"""Times, durations, amounts and enum words: what every message is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Generic, TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from protos.quota.v1 import quota_pb2 as pb
from quotad.administration import TokenRole
from quotad.values import (
    Basis,
    BlockedBy,
    Enforcement,
    LimitsView,
    OnMissingUsage,
    OnQuotadUnavailable,
    OnUnknownPrice,
    ReservationState,
    ReservationView,
    WindowKind,
)

if TYPE_CHECKING:
    from google.protobuf.internal.enum_type_wrapper import _EnumTypeWrapper  # a name of the stubs only

Word = TypeVar("Word", bound=StrEnum)
Number = TypeVar("Number", bound=int)
Value = TypeVar("Value")


TIMES_REMEMBERED = 4096
"""Times whose other form is remembered: those of a batch, and of its windows, come again and again."""


class Malformed(ValueError):
    """A message that does not have the contract's shape; `field` is the path to what is wrong."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field} {message}")
        self.field = field
        self.message = message


def path(at: str, name: str) -> str:
    """The path of the field `name` inside the message at `at`; the request itself is at ''."""
    return f"{at}.{name}" if at else name


def required(value: Value | None, at: str, name: str) -> Value:
    if value is None:
        raise Malformed(path(at, name), "is required")
    return value


@lru_cache(TIMES_REMEMBERED)
def timestamp(value: datetime | None) -> Timestamp | None:
    """A message to be copied into others, never to be changed: the same time gives the same one."""
    if value is None:
        return None
    message = Timestamp()
    message.FromDatetime(value)
    return message


@lru_cache(TIMES_REMEMBERED)
def duration(value: timedelta | None) -> Duration | None:
    """As `timestamp`."""
    if value is None:
        return None
    message = Duration()
    message.FromTimedelta(value)
    return message


def read_time(message: Message, name: str, at: str = "") -> datetime | None:
    """The Timestamp field `name`, or None where it is unset."""
    if not message.HasField(name):
        return None
    value: Timestamp = getattr(message, name)
    try:
        return _datetime(value.seconds, value.nanos)
    except (ValueError, OverflowError) as exc:
        raise Malformed(path(at, name), "is not a valid time") from exc


def read_duration(message: Message, name: str, at: str = "") -> timedelta | None:
    """The Duration field `name`, or None where it is unset; parts of a microsecond are cut off."""
    if not message.HasField(name):
        return None
    value: Duration = getattr(message, name)
    try:
        return _timedelta(value.seconds, value.nanos)
    except (ValueError, OverflowError) as exc:
        raise Malformed(path(at, name), "is not a valid duration") from exc


@lru_cache(TIMES_REMEMBERED)
def _datetime(seconds: int, nanos: int) -> datetime:
    return Timestamp(seconds=seconds, nanos=nanos).ToDatetime(UTC)


@lru_cache(TIMES_REMEMBERED)
def _timedelta(seconds: int, nanos: int) -> timedelta:
    value = Duration(seconds=seconds, nanos=nanos)
    value.ToJsonString()  # the library checks the contract's bounds only here
    return value.ToTimedelta()


def plain(entries: Mapping[str, Value]) -> dict[str, Value]:
    """A protobuf map as a dict of its own, in the order of its keys: a map on the wire has none."""
    return dict(sorted(entries.items())) if entries else {}


@dataclass(frozen=True, slots=True)
class Words(Generic[Word, Number]):
    """An enum of ours beside its protobuf enum, whose names are ours behind a prefix."""

    enum: type[Word]
    numbers: _EnumTypeWrapper[Number]
    prefix: str
    _number_of: dict[Word | None, Number] = field(init=False, default_factory=dict)
    _word_of: dict[int, Word | None] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        for word in (None, *self.enum):
            number = self.numbers.Value(self.prefix + ("UNSPECIFIED" if word is None else word.name))
            self._number_of[word] = number
            self._word_of[number] = word

    def number(self, word: Word | None) -> Number:
        """None is `UNSPECIFIED`."""
        return self._number_of[word]

    def read(self, message: Message, name: str, at: str = "") -> Word | None:
        """The enum field `name`, or None where it is unspecified; a number without a name is `Malformed`."""
        number = getattr(message, name)
        if number not in self._word_of:
            raise Malformed(path(at, name), f"has no value {number}")
        return self._word_of[number]


RESERVATION_STATES = Words(ReservationState, pb.ReservationState, "RESERVATION_STATE_")
BASES = Words(Basis, pb.Basis, "BASIS_")
LIMITS_VIEWS = Words(LimitsView, pb.LimitsView, "LIMITS_VIEW_")
RESERVATION_VIEWS = Words(ReservationView, pb.ReservationView, "RESERVATION_VIEW_")
ENFORCEMENTS = Words(Enforcement, pb.Enforcement, "ENFORCEMENT_")
WINDOW_KINDS = Words(WindowKind, pb.WindowKind, "WINDOW_KIND_")
BLOCKED_BY = Words(BlockedBy, pb.BlockedBy, "BLOCKED_BY_")
ON_MISSING_USAGE = Words(OnMissingUsage, pb.OnMissingUsage, "ON_MISSING_USAGE_")
ON_QUOTAD_UNAVAILABLE = Words(OnQuotadUnavailable, pb.OnQuotadUnavailable, "ON_QUOTAD_UNAVAILABLE_")
ON_UNKNOWN_PRICE = Words(OnUnknownPrice, pb.OnUnknownPrice, "ON_UNKNOWN_PRICE_")
TOKEN_ROLES = Words(TokenRole, pb.TokenRole, "TOKEN_ROLE_")
