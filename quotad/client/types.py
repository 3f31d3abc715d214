"""What the client's calls answer, and the values that callers need to speak with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import grpc

from quotad.administration import AuditEntry, Author, Group, GroupDescription, ServiceToken, TokenRole
from quotad.errors import QuotaError
from quotad.records import Difference, LimitOrder, Page, RefusalCount, RefusalSample, UsageTotal
from quotad.values import (
    DEFAULT_TENANT,
    UNSET,
    Amounts,
    ApiKey,
    Basis,
    BlockedBy,
    Denial,
    Enforcement,
    GroupName,
    Hold,
    KeyDescription,
    KeyPolicies,
    Limit,
    LimitOwner,
    LimitStatus,
    LimitsView,
    OnMissingUsage,
    OnQuotadUnavailable,
    OnUnknownPrice,
    Reservation,
    ReservationState,
    ReservationView,
    Scope,
    TokenPrice,
    UnavailableAllowance,
    Unset,
    Violation,
    Window,
    WindowKind,
    pattern_matches,
)

__all__ = [
    # answers
    "Checked",
    "Grant",
    "Renewal",
    "Settlement",
    "CreatedKey",
    "KeyPage",
    "GroupPage",
    "CreatedToken",
    "TokenPage",
    "AuditPage",
    "ReservationPage",
    "ForcedRelease",
    "OutcomeUnknown",
    "ClientClosed",
    # values
    "DEFAULT_TENANT",
    "UNSET",
    "Amounts",
    "ApiKey",
    "AuditEntry",
    "Author",
    "Basis",
    "BlockedBy",
    "Denial",
    "Difference",
    "Enforcement",
    "Group",
    "GroupDescription",
    "GroupName",
    "Hold",
    "KeyDescription",
    "KeyPolicies",
    "Limit",
    "LimitOrder",
    "LimitOwner",
    "LimitStatus",
    "LimitsView",
    "OnMissingUsage",
    "OnQuotadUnavailable",
    "OnUnknownPrice",
    "Page",
    "RefusalCount",
    "RefusalSample",
    "Reservation",
    "ReservationState",
    "ReservationView",
    "Scope",
    "ServiceToken",
    "TokenPrice",
    "TokenRole",
    "UnavailableAllowance",
    "Unset",
    "UsageTotal",
    "Violation",
    "pattern_matches",
    "Window",
    "WindowKind",
]


class OutcomeUnknown(Exception):
    """The call may or may not have taken effect: only a repeat with the same id, or a fence, makes it definite."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(f"{code.name}: {message}")
        self.code = code


class ClientClosed(OutcomeUnknown):
    """The client was closed before the answer came; a repeat needs another client."""

    def __init__(self, address: str) -> None:
        super().__init__(grpc.StatusCode.CANCELLED, f"the client of quotad at {address} is closed")


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
    """A key with a new secret, which is empty where the call repeated an earlier one: it is shown once."""

    api_key: ApiKey
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyPage:
    """Some keys, oldest first; an empty `next_page_token` means that these were the last."""

    keys: tuple[KeyDescription, ...]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class GroupPage:
    """Some groups, oldest first; an empty `next_page_token` means that these were the last."""

    groups: tuple[GroupDescription, ...]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class CreatedToken:
    """A new service token; `secret` is empty where the call repeated an earlier one: it is shown once."""

    token: ServiceToken
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TokenPage:
    """Some service tokens, oldest first."""

    tokens: tuple[ServiceToken, ...]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Some changes, newest first."""

    entries: tuple[AuditEntry, ...]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class ReservationPage:
    """Some reservations in one state, oldest first; an empty `next_page_token` means that these were the last."""

    reservations: tuple[Reservation, ...]
    next_page_token: str
    server_time: datetime


@dataclass(frozen=True, slots=True)
class ForcedRelease:
    """The reservation as it stands, and whether the call gave its hold back."""

    reservation: Reservation
    changed: bool
