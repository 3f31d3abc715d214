"""Limits, their status, and why one refuses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from protos.quota.v1 import quota_pb2 as pb
from quotad.values import (
    Denial,
    Enforcement,
    Limit,
    LimitOwner,
    LimitStatus,
    Violation,
    Window,
)
from quotad.wire.scalars import (
    BLOCKED_BY,
    ENFORCEMENTS,
    WINDOW_KINDS,
    duration,
    path,
    read_duration,
    read_time,
    required,
    timestamp,
)


def window_message(window: Window) -> pb.Window:
    return pb.Window(kind=WINDOW_KINDS.number(window.kind), seconds=window.seconds, time_zone=window.time_zone)


def read_window(message: pb.Window, at: str = "") -> Window:
    kind = required(WINDOW_KINDS.read(message, "kind", at), at, "kind")
    return Window(kind, message.seconds, message.time_zone or "UTC")


def limit_message(limit: Limit) -> pb.Limit:
    return pb.Limit(
        limit_id=limit.limit_id,
        metric=limit.metric,
        window=window_message(limit.window),
        model_pattern=limit.model_pattern,
        max_value=limit.max_value,
        enforcement=ENFORCEMENTS.number(limit.enforcement),
    )


def read_limit(message: pb.Limit | pb.LimitStatus, at: str = "") -> Limit:
    return Limit(
        metric=message.metric,
        window=read_window(message.window, path(at, "window")),
        max_value=message.max_value,
        model_pattern=message.model_pattern,
        enforcement=ENFORCEMENTS.read(message, "enforcement", at) or Enforcement.ENFORCE,
        limit_id=message.limit_id,
    )


def read_limits(messages: Iterable[pb.Limit], at: str = "") -> tuple[Limit, ...]:
    """The field `limits` of the key or group at `at`."""
    return tuple(read_limit(limit, f"{path(at, 'limits')}[{n}]") for n, limit in enumerate(messages))


def status_message(status: LimitStatus) -> pb.LimitStatus:
    limit = status.limit
    return pb.LimitStatus(
        limit_id=limit.limit_id,
        owner=owner_message(status.owner),
        metric=limit.metric,
        window=window_message(limit.window),
        model_pattern=limit.model_pattern,
        enforcement=ENFORCEMENTS.number(limit.enforcement),
        max_value=limit.max_value,
        used=status.used,
        held=status.held,
        available=status.available,
        window_start=timestamp(status.window_start),
        reset_time=timestamp(status.reset_time),
    )


def read_status(message: pb.LimitStatus, at: str = "") -> LimitStatus:
    return LimitStatus(
        limit=read_limit(message, at),
        owner=read_owner(message.owner),
        used=message.used,
        held=message.held,
        window_start=required(read_time(message, "window_start", at), at, "window_start"),
        reset_time=read_time(message, "reset_time", at),
    )


def read_statuses(messages: Sequence[pb.LimitStatus], at: str = "") -> tuple[LimitStatus, ...]:
    """The field `limits` of the answer at `at`."""
    if not messages:
        return ()
    return tuple(read_status(status, f"{path(at, 'limits')}[{n}]") for n, status in enumerate(messages))


def denial_message(denial: Denial) -> pb.QuotaDenial:
    violations = [_violation_message(violation) for violation in denial.violations]
    return pb.QuotaDenial(limits=violations, retry_after=duration(denial.retry_after))


def read_denial(message: pb.QuotaDenial, at: str = "") -> Denial:
    violations = (_read_violation(item, f"{path(at, 'limits')}[{n}]") for n, item in enumerate(message.limits))
    return Denial(tuple(violations), read_duration(message, "retry_after", at))


def _violation_message(violation: Violation) -> pb.QuotaDenial.Violation:
    status = violation.status
    limit = status.limit
    return pb.QuotaDenial.Violation(
        limit_id=limit.limit_id,
        metric=limit.metric,
        window=window_message(limit.window),
        model_pattern=limit.model_pattern,
        max_value=limit.max_value,
        used=status.used,
        held=status.held,
        requested=violation.requested,
        available=status.available,
        window_start=timestamp(status.window_start),
        reset_time=timestamp(status.reset_time),
        blocked_by=BLOCKED_BY.number(violation.blocked_by),
        never_fits=violation.never_fits,
        owner=owner_message(status.owner),
    )


def _read_violation(message: pb.QuotaDenial.Violation, at: str) -> Violation:
    limit = Limit(
        metric=message.metric,
        window=read_window(message.window, path(at, "window")),
        max_value=message.max_value,
        model_pattern=message.model_pattern,
        limit_id=message.limit_id,
    )
    status = LimitStatus(
        limit=limit,
        owner=read_owner(message.owner),
        used=message.used,
        held=message.held,
        window_start=required(read_time(message, "window_start", at), at, "window_start"),
        reset_time=read_time(message, "reset_time", at),
    )
    blocked_by = required(BLOCKED_BY.read(message, "blocked_by", at), at, "blocked_by")
    return Violation(status, message.requested, blocked_by)


def owner_message(owner: LimitOwner) -> pb.LimitOwner:
    return pb.LimitOwner(api_key_id=owner.api_key_id, name=owner.name, group_id=owner.group_id)


def read_owner(message: pb.LimitOwner) -> LimitOwner:
    return LimitOwner(message.api_key_id, message.name, message.group_id)
