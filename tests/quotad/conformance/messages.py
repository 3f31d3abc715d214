"""Operations as requests, and responses as what the client answers: shared by the transports on plain stubs."""

from __future__ import annotations

from typing import Any

from protos.quota.v1 import quota_pb2 as pb
from quotad.client.types import Checked, Grant, Renewal, Settlement
from quotad.core.operations import Check, Finalize, Release, Renew, Reserve
from quotad.errors import QuotaError
from quotad.values import Scope, Subject
from quotad.wire.errors import read_error
from quotad.wire.limits import read_statuses
from quotad.wire.reservations import read_reservation, scope_message
from quotad.wire.scalars import BASES, LIMITS_VIEWS, RESERVATION_STATES, duration, plain, read_time, required
from tests.quotad.conformance.transport import Outcome


def reserve_request(operation: Reserve) -> pb.ReserveRequest:
    return pb.ReserveRequest(
        reservation_id=operation.reservation_id,
        **_named(operation.subject),
        model=operation.model,
        amounts=operation.amounts,
        min_amounts=operation.min_amounts,
        lease=duration(operation.lease),
        labels=operation.labels,
        limits_view=LIMITS_VIEWS.number(operation.limits_view),
    )


def renew_request(operation: Renew) -> pb.RenewRequest:
    return pb.RenewRequest(
        scope=scope_message(operation.scope),
        reservation_ids=operation.reservation_ids,
        lease=duration(operation.lease),
    )


def finalize_request(operation: Finalize) -> pb.FinalizeRequest:
    return pb.FinalizeRequest(
        scope=scope_message(operation.scope),
        reservation_id=operation.reservation_id,
        amounts=operation.amounts,
        basis=BASES.number(operation.basis),
        allow_unreserved=operation.allow_unreserved,
        model=operation.model,
        age=duration(operation.age),
        labels=operation.labels,
        limits_view=LIMITS_VIEWS.number(operation.limits_view),
    )


def release_request(operation: Release) -> pb.ReleaseRequest:
    return pb.ReleaseRequest(
        scope=scope_message(operation.scope),
        reservation_id=operation.reservation_id,
        reason=operation.reason,
        limits_view=LIMITS_VIEWS.number(operation.limits_view),
    )


def reservation_request(scope: Scope, reservation_id: str) -> pb.GetReservationRequest:
    return pb.GetReservationRequest(scope=scope_message(scope), reservation_id=reservation_id)


def describe_request(subject: Subject) -> pb.DescribeKeyRequest:
    return pb.DescribeKeyRequest(**_named(subject))


def check_request(operation: Check) -> pb.CheckRequest:
    return pb.CheckRequest(
        **_named(operation.subject),
        model=operation.model,
        amounts=operation.amounts,
        min_amounts=operation.min_amounts,
        limits_view=LIMITS_VIEWS.number(operation.limits_view),
    )


def outcome(result: pb.BatchReserveResult | pb.BatchSettleResult | pb.ExchangeResult) -> Outcome:
    """What became of one operation of a message."""
    match result.WhichOneof("result"):
        case "reserve":
            return grant(result.reserve)  # type: ignore[union-attr]
        case "finalize":
            return finalized(result.finalize)  # type: ignore[union-attr]
        case "release":
            return released(result.release)  # type: ignore[union-attr]
        case _:
            return error(result.error)


def error(message: pb.Error) -> QuotaError:
    found = read_error(message)
    assert found is not None, message
    return found


def checked(response: pb.CheckResponse) -> Checked:
    now = required(read_time(response, "server_time"), "", "server_time")
    return Checked(plain(response.reserved), read_statuses(response.limits), now)


def grant(response: pb.ReserveResponse) -> Grant:
    return Grant(
        reservation=read_reservation(response.reservation),
        replayed=response.replayed,
        limits=read_statuses(response.limits),
        server_time=required(read_time(response, "server_time"), "", "server_time"),
    )


def renewals(response: pb.RenewResponse) -> tuple[Renewal, ...]:
    return tuple(_renewal(result) for result in response.results)


def finalized(response: pb.FinalizeResponse) -> Settlement:
    limits = read_statuses(response.limits)
    return Settlement(read_reservation(response.reservation), response.replayed, response.changed, limits)


def released(response: pb.ReleaseResponse) -> Settlement:
    limits = read_statuses(response.limits)
    return Settlement(read_reservation(response.reservation), not response.changed, response.changed, limits)


def _named(subject: Subject) -> dict[str, Any]:
    given = {"api_key": subject.api_key, "api_key_id": subject.api_key_id}
    return {name: value for name, value in given.items() if value is not None}


def _renewal(result: pb.RenewResult) -> Renewal:
    error = read_error(result.error) if result.HasField("error") else None
    state = RESERVATION_STATES.read(result, "state")
    return Renewal(result.reservation_id, state, read_time(result, "expire_time"), error)
