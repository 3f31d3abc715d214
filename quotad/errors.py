"""Every reason for which quotad refuses, as one class each.

    QuotaError
    ├── InvalidRequest            INVALID_ARGUMENT      a field is wrong; nothing was written
    ├── Refused                                         the request does not fit
    │   ├── QuotaExceeded         RESOURCE_EXHAUSTED    not now
    │   └── RequestExceedsLimit   FAILED_PRECONDITION   never
    ├── ReservationIdReused       ALREADY_EXISTS        the id stands for another request
    ├── FinalizeMismatch          ALREADY_EXISTS        finalized before with other amounts; the first stay
    ├── ReservationFenced         FAILED_PRECONDITION   a Release of this id came first
    ├── ReservationNotOpen        FAILED_PRECONDITION   it was settled, or its lease lapsed
    ├── ReservationNotFound       NOT_FOUND             never seen, or purged
    ├── TooOld                    FAILED_PRECONDITION   an unreserved charge beyond the horizon
    ├── ApiKeyUnknown             UNAUTHENTICATED       no such key
    ├── ApiKeyDisabled            PERMISSION_DENIED     disabled, expired or deleted, or its secret was replaced
    ├── ModelNotAllowed           PERMISSION_DENIED     the key may not use this model
    ├── CallerUnauthenticated     UNAUTHENTICATED       the caller's own token is missing or wrong
    ├── CallerNotAllowed          PERMISSION_DENIED     its token does not cover the call
    ├── GroupTreeInvalid          FAILED_PRECONDITION   a cycle, or more than 4 levels
    ├── GroupNotEmpty             FAILED_PRECONDITION   keys or groups are still in it
    ├── EtagMismatch              ABORTED               the edit was made on stale data
    ├── ResourceNotFound          NOT_FOUND             an unknown key, group or token (control plane)
    ├── DeadlinePassed            DEADLINE_EXCEEDED     its time was up before it was written; nothing was
    ├── StoreUnavailable          UNAVAILABLE           the database is away; try again with the same id
    └── Overloaded                UNAVAILABLE           a queue is full or a lock took too long; try again

The server raises them and renders them in one interceptor; the client raises the same classes from what came over
the wire. Each carries its data, knows its code and its `reason`, and never a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import IntEnum
from typing import ClassVar

from quotad.values import Denial, Reservation

DOMAIN = "quota"
"""Domain of every google.rpc.ErrorInfo."""


class Code(IntEnum):
    """The numbers of google.rpc.Code that are used here."""

    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


class QuotaError(Exception):
    """A definite answer of the daemon other than OK. The message is safe to show to the caller."""

    code: ClassVar[Code]
    reason: ClassVar[str]

    def __init__(self, message: str, *, metadata: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.metadata: Mapping[str, str] = dict(metadata or {})
        """String facts about this case, for google.rpc.ErrorInfo."""


class InvalidRequest(QuotaError):
    """A field is wrong; `field` is its path in the request."""

    code = Code.INVALID_ARGUMENT
    reason = "INVALID_REQUEST"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message, metadata={"field": field})
        self.field = field


class Refused(QuotaError):
    """The request does not fit; `denial` names every limit in its way."""

    def __init__(self, message: str, denial: Denial) -> None:
        super().__init__(message)
        self.denial = denial


class QuotaExceeded(Refused):
    """It does not fit now."""

    code = Code.RESOURCE_EXHAUSTED
    reason = "QUOTA_EXCEEDED"


class RequestExceedsLimit(Refused):
    """It can never fit: it is larger than a whole limit."""

    code = Code.FAILED_PRECONDITION
    reason = "REQUEST_EXCEEDS_LIMIT"


class ReservationIdReused(QuotaError):
    """The id stands for another request; the metadata's `fields` says where they differ."""

    code = Code.ALREADY_EXISTS
    reason = "RESERVATION_ID_REUSED"


class ReservationConflict(QuotaError):
    """The reservation is in a state that rules the call out; `reservation` is what stands, where it may be shown."""

    def __init__(self, message: str, reservation: Reservation | None = None) -> None:
        state = {} if reservation is None else {"state": reservation.state.value}
        super().__init__(message, metadata=state)
        self.reservation = reservation


class FinalizeMismatch(ReservationConflict):
    """It was finalized before with other amounts; the first stay."""

    code = Code.ALREADY_EXISTS
    reason = "FINALIZE_MISMATCH"


class ReservationFenced(ReservationConflict):
    """A Release of this id came first."""

    code = Code.FAILED_PRECONDITION
    reason = "RESERVATION_FENCED"


class ReservationNotOpen(ReservationConflict):
    """It was settled, or its lease lapsed."""

    code = Code.FAILED_PRECONDITION
    reason = "RESERVATION_NOT_OPEN"


class ReservationNotFound(QuotaError):
    """Never seen, or purged after the idempotency horizon."""

    code = Code.NOT_FOUND
    reason = "RESERVATION_NOT_FOUND"


class TooOld(QuotaError):
    """An unreserved charge for a request that began before the idempotency horizon less a day."""

    code = Code.FAILED_PRECONDITION
    reason = "TOO_OLD"


class ApiKeyUnknown(QuotaError):
    """No such key."""

    code = Code.UNAUTHENTICATED
    reason = "API_KEY_UNKNOWN"


class ApiKeyDisabled(QuotaError):
    """The key is disabled, expired or deleted, or this secret of it was replaced and its grace is over."""

    code = Code.PERMISSION_DENIED
    reason = "API_KEY_DISABLED"


class ModelNotAllowed(QuotaError):
    """The key may not use this model."""

    code = Code.PERMISSION_DENIED
    reason = "MODEL_NOT_ALLOWED"


class CallerUnauthenticated(QuotaError):
    """The caller's own token is missing or wrong."""

    code = Code.UNAUTHENTICATED
    reason = "CALLER_UNAUTHENTICATED"


class CallerNotAllowed(QuotaError):
    """The caller's token does not cover the call."""

    code = Code.PERMISSION_DENIED
    reason = "CALLER_NOT_ALLOWED"


class GroupTreeInvalid(QuotaError):
    """The edit would make a cycle, or a tree of more than 4 levels."""

    code = Code.FAILED_PRECONDITION
    reason = "GROUP_TREE_INVALID"


class GroupNotEmpty(QuotaError):
    """Keys or groups are still in it: move or delete them first."""

    code = Code.FAILED_PRECONDITION
    reason = "GROUP_NOT_EMPTY"


class EtagMismatch(QuotaError):
    """The edit was made on stale data: read again, then edit."""

    code = Code.ABORTED
    reason = "ETAG_MISMATCH"


class ResourceNotFound(QuotaError):
    """An unknown key, group or token."""

    code = Code.NOT_FOUND
    reason = "RESOURCE_NOT_FOUND"


class DeadlinePassed(QuotaError):
    """The caller's time was up before the operation was written; nothing was."""

    code = Code.DEADLINE_EXCEEDED
    reason = "DEADLINE_EXCEEDED"


class Unavailable(QuotaError):
    """Nothing definite is known to have been written; the same call may be repeated after `retry_after`."""

    code = Code.UNAVAILABLE

    def __init__(self, message: str, retry_after: timedelta = timedelta(seconds=1)) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class StoreUnavailable(Unavailable):
    """The database is away."""

    reason = "STORE_UNAVAILABLE"


class Overloaded(Unavailable):
    """A queue is full, or a lock took too long."""

    reason = "OVERLOADED"
