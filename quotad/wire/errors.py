"""Every `QuotaError` as a google.rpc.Status and back, with the details that its class carries.

The first detail is always a google.rpc.ErrorInfo of domain `quota`; a status without one is not an answer of the
ledger, and says nothing definite about the call.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import TypeVar

from google.protobuf.any_pb2 import Any
from google.protobuf.message import DecodeError, Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, QuotaFailure, RetryInfo
from google.rpc.status_pb2 import Status

from protos.quota.v1 import quota_pb2 as pb
from quotad.errors import (
    DOMAIN,
    InvalidRequest,
    QuotaError,
    Refused,
    ReservationConflict,
    Unavailable,
)
from quotad.values import Denial, Violation
from quotad.wire.limits import denial_message, read_denial
from quotad.wire.reservations import read_reservation, reservation_message
from quotad.wire.scalars import Malformed, duration, plain, read_duration

STATUS_METADATA = "grpc-status-details-bin"
"""Trailing metadata in which gRPC carries a google.rpc.Status."""

INTERNAL = 13
"""google.rpc.Code of what is not an answer of the ledger."""

Detail = TypeVar("Detail", bound=Message)


def error_message(error: QuotaError) -> pb.Error:
    """The error of one item among many."""
    return pb.Error(code=error.code, message=error.message, details=_details(error))


def outcome_message(error: Exception) -> pb.Error:
    """The error of one item among many; of a defect no more is told than that its outcome is unknown."""
    if isinstance(error, Malformed):
        return error_message(InvalidRequest(error.field, str(error)))
    if isinstance(error, QuotaError):
        return error_message(error)
    return pb.Error(code=INTERNAL, message="internal error; see the log of quotad")


def status_bytes(error: QuotaError) -> bytes:
    """The error of a whole call, for its trailing metadata."""
    status: bytes = Status(code=error.code, message=error.message, details=_details(error)).SerializeToString()
    return status


def read_error(message: pb.Error) -> QuotaError | None:
    """The error of one item; None where it is not one of the ledger's."""
    return _read(message.message, message.details)


def read_status_bytes(data: bytes) -> QuotaError | None:
    """The error of a whole call; None where it is not one of the ledger's."""
    try:
        status = Status.FromString(data)
    except DecodeError as exc:
        raise Malformed(STATUS_METADATA, "is not a google.rpc.Status") from exc
    return _read(status.message, status.details)


def _details(error: QuotaError) -> list[Any]:
    info = ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.metadata)
    return [_packed(detail) for detail in (info, *_own_details(error))]


def _own_details(error: QuotaError) -> Iterator[Message]:
    match error:
        case InvalidRequest():
            violation = BadRequest.FieldViolation(field=error.field, description=error.message)
            yield BadRequest(field_violations=[violation])
        case Refused():
            yield denial_message(error.denial)
            yield QuotaFailure(violations=[_failure(violation) for violation in error.denial.violations])
            if error.denial.retry_after is not None:
                yield RetryInfo(retry_delay=duration(error.denial.retry_after))
        case ReservationConflict() if error.reservation is not None:
            yield reservation_message(error.reservation)
        case Unavailable():
            yield RetryInfo(retry_delay=duration(error.retry_after))


def _failure(violation: Violation) -> Message:
    limit = violation.status.limit
    owner = violation.status.owner
    failure: Message = QuotaFailure.Violation(
        subject=f"group:{owner.group_id}" if owner.group_id else f"api_key:{owner.api_key_id}",
        description=f"{limit.metric} per {limit.window}: {violation.status.available} of {limit.max_value} available",
        quota_metric=limit.metric,
        quota_id=limit.limit_id,
        quota_value=limit.max_value,
    )
    return failure


def _read(message: str, details: Iterable[Any]) -> QuotaError | None:
    found = list(details)
    info = _detail(found, ErrorInfo)
    if info is None or info.domain != DOMAIN:
        return None
    cls = _CLASSES.get(info.reason)
    return None if cls is None else _rebuilt(cls, message, plain(info.metadata), found)


def _rebuilt(cls: type[QuotaError], message: str, metadata: dict[str, str], details: list[Any]) -> QuotaError:
    if issubclass(cls, InvalidRequest):
        return cls(metadata.get("field", ""), message)
    if issubclass(cls, Refused):
        denial = _detail(details, pb.QuotaDenial)
        return cls(message, Denial((), None) if denial is None else read_denial(denial))
    if issubclass(cls, ReservationConflict):
        reservation = _detail(details, pb.Reservation)
        return cls(message, None if reservation is None else read_reservation(reservation))
    if issubclass(cls, Unavailable):
        return cls(message, _retry_after(details))
    return cls(message, metadata=metadata)


def _retry_after(details: list[Any]) -> timedelta:
    info = _detail(details, RetryInfo)
    delay = None if info is None else read_duration(info, "retry_delay")
    return timedelta(seconds=1) if delay is None else delay


def _packed(detail: Message) -> Any:
    packed = Any()
    packed.Pack(detail)
    return packed


def _detail(details: list[Any], kind: type[Detail]) -> Detail | None:
    """The first detail of a kind."""
    for packed in details:
        if packed.TypeName() == kind.DESCRIPTOR.full_name:
            detail = kind()
            try:
                packed.Unpack(detail)
            except DecodeError as exc:
                raise Malformed(kind.DESCRIPTOR.full_name, "cannot be read") from exc
            return detail
    return None


def _reasons(cls: type[QuotaError]) -> Iterator[type[QuotaError]]:
    for child in cls.__subclasses__():
        if "reason" in vars(child):
            yield child
        yield from _reasons(child)


_CLASSES = {cls.reason: cls for cls in _reasons(QuotaError)}
