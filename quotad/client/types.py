"""What the client's calls answer, and the values that callers need to speak with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import grpc

from quotad.errors import QuotaError
from quotad.values import (
    DEFAULT_TENANT,
    UNSET,
    Amounts,
    ApiKey,
    Basis,
    BlockedBy,
    Denial,
    Enforcement,
    Hold,
    KeyDescription,
    KeyPolicies,
    Limit,
    LimitOwner,
    LimitStatus,
    LimitsView,
    OnMissingUsage,
    Reservation,
    ReservationState,
    ReservationView,
    Scope,
    Unset,
    Violation,
    Window,
    WindowKind,
)

__all__ = [
    # answers
    "Checked",
    "Grant",
    "Renewal",
    "Settlement",
    "CreatedKey",
    "KeyPage",
    "OutcomeUnknown",
    # values
    "DEFAULT_TENANT",
    "UNSET",
    "Amounts",
    "ApiKey",
    "Basis",
    "BlockedBy",
    "Denial",
    "Enforcement",
    "Hold",
    "KeyDescription",
    "KeyPolicies",
    "Limit",
    "LimitOwner",
    "LimitStatus",
    "LimitsView",
    "OnMissingUsage",
    "Reservation",
    "ReservationState",
    "ReservationView",
    "Scope",
    "Unset",
    "Violation",
    "Window",
    "WindowKind",
]


class OutcomeUnknown(Exception):
    """The call may or may not have taken effect: only a repeat with the same id, or a fence, makes it definite."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(f"{code.name}: {message}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Grant:
    """The room is held now."""

    reservation: Reservation
    replayed: bool
    limits: tuple[LimitStatus, ...]
    server_time: datetime


@dataclass(frozen=True, slots=True)
class Checked:
    """What would be granted at the moment of the check, by metric."""

    reserved: Amounts
    limits: tuple[LimitStatus, ...]
    server_time: datetime


@dataclass(frozen=True, slots=True)
class Renewal:
    """One id's lease, or why it was not renewed."""

    reservation_id: str
    state: ReservationState | None
    """None for an unknown id."""
    expire_time: datetime | None
    error: QuotaError | None


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a Finalize or Release found or did; `changed` is false after a Release and for a repeat."""

    reservation: Reservation
    replayed: bool
    changed: bool
    limits: tuple[LimitStatus, ...]


@dataclass(frozen=True, slots=True)
class CreatedKey:
    """A new key; `secret` is empty where the call repeated an earlier one: it is shown once."""

    api_key: ApiKey
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyPage:
    """Some keys, oldest first; an empty `next_page_token` means that these were the last."""

    keys: tuple[KeyDescription, ...]
    next_page_token: str
