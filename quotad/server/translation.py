"""Requests as the core's operations, and the core's answers as responses. Bounds are the core's to check."""

from __future__ import annotations

from dataclasses import replace

from protos.quota.v1 import quota_pb2 as pb
from quotad.core.keys import UNSET, KeyChanges, KeyDraft
from quotad.core.operations import Finalize, Release, Renew, RenewAnswer, Reserve, ReserveAnswer, SettleAnswer
from quotad.values import Limit, LimitsView
from quotad.wire.errors import error_message
from quotad.wire.keys import read_policies
from quotad.wire.limits import read_limit, status_message
from quotad.wire.reservations import read_scope, read_subject, reservation_message
from quotad.wire.scalars import (
    BASES,
    LIMITS_VIEWS,
    RESERVATION_STATES,
    Malformed,
    plain,
    read_duration,
    read_time,
    required,
    timestamp,
)

EDITABLE = ("name", "disabled", "expire_time", "allowed_models", "policies", "limits")


def reserve_operation(request: pb.ReserveRequest) -> Reserve:
    return Reserve(
        reservation_id=request.reservation_id,
        subject=read_subject(request),
        model=request.model,
        amounts=plain(request.amounts),
        min_amounts=plain(request.min_amounts),
        lease=read_duration(request, "lease"),
        labels=plain(request.labels),
        limits_view=LIMITS_VIEWS.read(request, "limits_view") or LimitsView.ALL,
    )


def renew_operation(request: pb.RenewRequest) -> Renew:
    return Renew(
        scope=read_scope(request.scope),
        reservation_ids=tuple(request.reservation_ids),
        lease=read_duration(request, "lease"),
    )


def finalize_operation(request: pb.FinalizeRequest) -> Finalize:
    age = read_duration(request, "age")
    if request.allow_unreserved:
        required(age, "", "age")
    operation = Finalize(
        scope=read_scope(request.scope),
        reservation_id=request.reservation_id,
        amounts=plain(request.amounts),
        basis=BASES.read(request, "basis"),
        allow_unreserved=request.allow_unreserved,
        model=request.model,
        labels=plain(request.labels),
        limits_view=LIMITS_VIEWS.read(request, "limits_view") or LimitsView.NONE,
    )
    return operation if age is None else replace(operation, age=age)


def release_operation(request: pb.ReleaseRequest) -> Release:
    return Release(
        scope=read_scope(request.scope),
        reservation_id=request.reservation_id,
        reason=request.reason,
        limits_view=LIMITS_VIEWS.read(request, "limits_view") or LimitsView.NONE,
    )


def reserve_response(answer: ReserveAnswer) -> pb.ReserveResponse:
    return pb.ReserveResponse(
        reservation=reservation_message(answer.reservation),
        replayed=answer.replayed,
        limits=[status_message(status) for status in answer.limits],
        server_time=timestamp(answer.server_time),
    )


def renew_response(answers: tuple[RenewAnswer, ...]) -> pb.RenewResponse:
    return pb.RenewResponse(results=[_renew_result(answer) for answer in answers])


def finalize_response(answer: SettleAnswer) -> pb.FinalizeResponse:
    return pb.FinalizeResponse(
        reservation=reservation_message(answer.reservation),
        replayed=answer.replayed,
        changed=answer.changed,
        limits=[status_message(status) for status in answer.limits],
    )


def release_response(answer: SettleAnswer) -> pb.ReleaseResponse:
    return pb.ReleaseResponse(
        reservation=reservation_message(answer.reservation),
        changed=answer.changed,
        limits=[status_message(status) for status in answer.limits],
    )


def key_draft(message: pb.ApiKey) -> KeyDraft:
    return KeyDraft(
        name=message.name,
        limits=_limits(message),
        allowed_models=tuple(message.allowed_models),
        expire_time=read_time(message, "expire_time", "api_key"),
        policies=read_policies(message.policies, "api_key.policies"),
        disabled=message.disabled,
    )


def key_changes(request: pb.UpdateApiKeyRequest) -> KeyChanges:
    """Only what the mask names; a name that it should not have is `Malformed`."""
    named = set(request.update_mask.paths)
    if not named:
        raise Malformed("update_mask", "must name at least one field")
    if unknown := sorted(named.difference(EDITABLE)):
        raise Malformed("update_mask", f"cannot name {unknown[0]}: only {', '.join(EDITABLE)}")
    draft = key_draft(request.api_key)
    return KeyChanges(
        name=draft.name if "name" in named else UNSET,
        limits=draft.limits if "limits" in named else UNSET,
        allowed_models=draft.allowed_models if "allowed_models" in named else UNSET,
        expire_time=draft.expire_time if "expire_time" in named else UNSET,
        policies=draft.policies if "policies" in named else UNSET,
        disabled=draft.disabled if "disabled" in named else UNSET,
    )


def _limits(message: pb.ApiKey) -> tuple[Limit, ...]:
    return tuple(read_limit(limit, f"api_key.limits[{n}]") for n, limit in enumerate(message.limits))


def _renew_result(answer: RenewAnswer) -> pb.RenewResult:
    return pb.RenewResult(
        reservation_id=answer.reservation_id,
        state=RESERVATION_STATES.number(answer.state),
        expire_time=timestamp(answer.expire_time),
        error=None if answer.error is None else error_message(answer.error),
    )
