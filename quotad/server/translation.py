"""Requests as the core's operations, and the core's answers as responses. Bounds are the core's to check."""

from __future__ import annotations

from datetime import timedelta

from protos.quota.v1 import quota_pb2 as pb
from quotad.core.operations import (
    Check,
    CheckAnswer,
    Finalize,
    Read,
    ReadAnswer,
    Release,
    Renew,
    RenewAnswer,
    Reserve,
    ReserveAnswer,
    SettleAnswer,
)
from quotad.values import LimitsView, ReservationView
from quotad.wire.errors import error_message
from quotad.wire.limits import status_message
from quotad.wire.reservations import read_scope, read_subject, reservation_message
from quotad.wire.scalars import (
    BASES,
    LIMITS_VIEWS,
    RESERVATION_STATES,
    RESERVATION_VIEWS,
    plain,
    read_duration,
    required,
    timestamp,
)


def reserve_operation(request: pb.ReserveRequest, limits_view: LimitsView = LimitsView.NONE) -> Reserve:
    """`limits_view` is what a request that names none gets."""
    reservation_view(request)  # a wrong one is refused before anything is done
    return Reserve(
        reservation_id=request.reservation_id,
        subject=read_subject(request),
        model=request.model,
        amounts=plain(request.amounts),
        min_amounts=plain(request.min_amounts),
        lease=read_duration(request, "lease"),
        labels=plain(request.labels),
        limits_view=LIMITS_VIEWS.read(request, "limits_view") or limits_view,
    )


def renew_operation(request: pb.RenewRequest) -> Renew:
    return Renew(
        scope=read_scope(request.scope),
        reservation_ids=tuple(request.reservation_ids),
        lease=read_duration(request, "lease"),
    )


def finalize_operation(request: pb.FinalizeRequest) -> Finalize:
    reservation_view(request)
    age = read_duration(request, "age")
    if request.allow_unreserved:
        required(age, "", "age")
    return Finalize(
        scope=read_scope(request.scope),
        reservation_id=request.reservation_id,
        amounts=plain(request.amounts),
        basis=BASES.read(request, "basis"),
        allow_unreserved=request.allow_unreserved,
        model=request.model,
        age=timedelta() if age is None else age,
        labels=plain(request.labels),
        limits_view=LIMITS_VIEWS.read(request, "limits_view") or LimitsView.NONE,
    )


def release_operation(request: pb.ReleaseRequest) -> Release:
    reservation_view(request)
    return Release(
        scope=read_scope(request.scope),
        reservation_id=request.reservation_id,
        reason=request.reason,
        limits_view=LIMITS_VIEWS.read(request, "limits_view") or LimitsView.NONE,
    )


def read_operation(request: pb.GetReservationRequest) -> Read:
    return Read(read_scope(request.scope), request.reservation_id)


def check_operation(request: pb.CheckRequest, limits_view: LimitsView = LimitsView.NONE) -> Check:
    return Check(
        subject=read_subject(request),
        model=request.model,
        amounts=plain(request.amounts),
        min_amounts=plain(request.min_amounts),
        limits_view=LIMITS_VIEWS.read(request, "limits_view") or limits_view,
    )


def reservation_view(request: pb.ReserveRequest | pb.FinalizeRequest | pb.ReleaseRequest) -> ReservationView:
    return RESERVATION_VIEWS.read(request, "reservation_view") or ReservationView.FULL


def reserve_response(answer: ReserveAnswer, view: ReservationView) -> pb.ReserveResponse:
    return pb.ReserveResponse(
        reservation=reservation_message(answer.reservation, view),
        replayed=answer.replayed,
        limits=[status_message(status) for status in answer.limits],
        server_time=timestamp(answer.server_time),
    )


def renew_response(answers: tuple[RenewAnswer, ...]) -> pb.RenewResponse:
    return pb.RenewResponse(results=[_renew_result(answer) for answer in answers])


def finalize_response(answer: SettleAnswer, view: ReservationView) -> pb.FinalizeResponse:
    return pb.FinalizeResponse(
        reservation=reservation_message(answer.reservation, view),
        replayed=answer.replayed,
        changed=answer.changed,
        limits=[status_message(status) for status in answer.limits],
    )


def release_response(answer: SettleAnswer, view: ReservationView) -> pb.ReleaseResponse:
    return pb.ReleaseResponse(
        reservation=reservation_message(answer.reservation, view),
        changed=answer.changed,
        limits=[status_message(status) for status in answer.limits],
    )


def read_response(answer: ReadAnswer) -> pb.GetReservationResponse:
    return pb.GetReservationResponse(reservation=reservation_message(answer.reservation))


def check_response(answer: CheckAnswer) -> pb.CheckResponse:
    return pb.CheckResponse(
        reserved=answer.reserved,
        limits=[status_message(status) for status in answer.limits],
        server_time=timestamp(answer.server_time),
    )


def _renew_result(answer: RenewAnswer) -> pb.RenewResult:
    return pb.RenewResult(
        reservation_id=answer.reservation_id,
        state=RESERVATION_STATES.number(answer.state),
        expire_time=timestamp(answer.expire_time),
        error=None if answer.error is None else error_message(answer.error),
    )
