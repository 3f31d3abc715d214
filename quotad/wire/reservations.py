"""Reservations, their holds, and where a reservation or key is looked up."""

from __future__ import annotations

from collections.abc import Sequence

from protos.quota.v1 import quota_pb2 as pb
from quotad.values import Hold, Reservation, ReservationView, Scope, Subject
from quotad.wire.scalars import BASES, RESERVATION_STATES, Malformed, path, plain, read_time, required, timestamp


def reservation_message(reservation: Reservation, view: ReservationView = ReservationView.FULL) -> pb.Reservation:
    """The wire does not carry `min_amounts`: they are part of the request, not of what was granted."""
    if view is ReservationView.BRIEF:
        return _brief(reservation)
    return pb.Reservation(
        reservation_id=reservation.reservation_id,
        tenant_id=reservation.tenant_id,
        api_key_id=reservation.api_key_id,
        model=reservation.model,
        state=RESERVATION_STATES.number(reservation.state),
        requested=reservation.requested,
        reserved=reservation.reserved,
        actual=reservation.actual,
        holds=[_hold_message(hold) for hold in reservation.holds],
        create_time=timestamp(reservation.create_time),
        expire_time=timestamp(reservation.expire_time),
        settle_time=timestamp(reservation.settle_time),
        late=reservation.late,
        unreserved=reservation.unreserved,
        basis=BASES.number(reservation.basis),
        labels=reservation.labels,
        forced_reason=reservation.forced_reason,
    )


def _brief(reservation: Reservation) -> pb.Reservation:
    return pb.Reservation(
        reservation_id=reservation.reservation_id,
        tenant_id=reservation.tenant_id,
        api_key_id=reservation.api_key_id,
        model=reservation.model,
        state=RESERVATION_STATES.number(reservation.state),
        reserved=reservation.reserved if reservation.reserved != reservation.requested else None,
        create_time=timestamp(reservation.create_time),
        expire_time=timestamp(reservation.expire_time),
        settle_time=timestamp(reservation.settle_time),
        late=reservation.late,
        unreserved=reservation.unreserved,
        basis=BASES.number(reservation.basis),
    )


def read_reservation(message: pb.Reservation, at: str = "") -> Reservation:
    return Reservation(
        reservation_id=message.reservation_id,
        tenant_id=message.tenant_id,
        api_key_id=message.api_key_id,
        model=message.model,
        state=required(RESERVATION_STATES.read(message, "state", at), at, "state"),
        requested=plain(message.requested),
        reserved=plain(message.reserved),
        actual=plain(message.actual),
        holds=_read_holds(message.holds, at) if message.holds else (),
        create_time=required(read_time(message, "create_time", at), at, "create_time"),
        expire_time=required(read_time(message, "expire_time", at), at, "expire_time"),
        settle_time=read_time(message, "settle_time", at),
        late=message.late,
        unreserved=message.unreserved,
        basis=BASES.read(message, "basis", at),
        labels=plain(message.labels),
        forced_reason=message.forced_reason,
    )


def _read_holds(messages: Sequence[pb.Hold], at: str) -> tuple[Hold, ...]:
    return tuple(_read_hold(hold, f"{path(at, 'holds')}[{n}]") for n, hold in enumerate(messages))


def scope_message(scope: Scope) -> pb.Scope | None:
    """None where the scope names nothing: the tenant `default` is meant."""
    if scope.api_key is not None:
        return pb.Scope(api_key=scope.api_key)
    if scope.api_key_id is not None:
        return pb.Scope(api_key_id=scope.api_key_id)
    return None if scope.tenant_id is None else pb.Scope(tenant_id=scope.tenant_id)


def read_scope(message: pb.Scope) -> Scope:
    match message.WhichOneof("scope"):
        case "tenant_id":
            return Scope(tenant_id=message.tenant_id)
        case "api_key":
            return Scope(api_key=message.api_key)
        case "api_key_id":
            return Scope(api_key_id=message.api_key_id)
        case None:
            return Scope()


def read_subject(message: pb.ReserveRequest | pb.CheckRequest | pb.DescribeKeyRequest) -> Subject:
    match message.WhichOneof("subject"):
        case "api_key":
            return Subject(api_key=message.api_key)
        case "api_key_id":
            return Subject(api_key_id=message.api_key_id)
        case None:
            raise Malformed("subject", "is required: name the key by api_key or api_key_id")


def _hold_message(hold: Hold) -> pb.Hold:
    return pb.Hold(
        limit_id=hold.limit_id,
        metric=hold.metric,
        window_start=timestamp(hold.window_start),
        reset_time=timestamp(hold.reset_time),
        held=hold.held,
        charged=hold.charged,
        over_by=hold.over_by,
    )


def _read_hold(message: pb.Hold, at: str) -> Hold:
    return Hold(
        limit_id=message.limit_id,
        metric=message.metric,
        window_start=required(read_time(message, "window_start", at), at, "window_start"),
        reset_time=read_time(message, "reset_time", at),
        held=message.held,
        charged=message.charged,
        over_by=message.over_by,
    )
