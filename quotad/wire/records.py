"""Usage, refusals and windows that do not add up."""

from __future__ import annotations

from protos.quota.v1 import quota_pb2 as pb
from quotad.records import Difference, LimitOrder, RefusalCount, RefusalSample, UsageTotal
from quotad.wire.limits import limit_message, owner_message, read_limit, read_owner
from quotad.wire.scalars import BLOCKED_BY, ENFORCEMENTS, Words, path, read_time, required, timestamp

LIMIT_ORDERS = Words(LimitOrder, pb.LimitOrder, "LIMIT_ORDER_")


def usage_message(total: UsageTotal) -> pb.UsageTotal:
    return pb.UsageTotal(
        hour=timestamp(total.hour),
        api_key_id=total.api_key_id,
        model=total.model,
        metric=total.metric,
        amount=total.amount,
    )


def read_usage(message: pb.UsageTotal, at: str) -> UsageTotal:
    return UsageTotal(
        hour=required(read_time(message, "hour", at), at, "hour"),
        api_key_id=message.api_key_id,
        model=message.model,
        metric=message.metric,
        amount=message.amount,
    )


def refusal_message(count: RefusalCount) -> pb.RefusalCount:
    return pb.RefusalCount(
        minute=timestamp(count.minute),
        api_key_id=count.api_key_id,
        limit=limit_message(count.limit),
        owner=owner_message(count.owner),
        enforcement=ENFORCEMENTS.number(count.enforcement),
        refused=count.refused,
        samples=[_sample_message(sample) for sample in count.samples],
    )


def read_refusal(message: pb.RefusalCount, at: str) -> RefusalCount:
    return RefusalCount(
        minute=required(read_time(message, "minute", at), at, "minute"),
        api_key_id=message.api_key_id,
        limit=read_limit(message.limit, path(at, "limit")),
        owner=read_owner(message.owner),
        enforcement=required(ENFORCEMENTS.read(message, "enforcement", at), at, "enforcement"),
        refused=message.refused,
        samples=tuple(_read_sample(item, f"{path(at, 'samples')}[{n}]") for n, item in enumerate(message.samples)),
    )


def difference_message(difference: Difference) -> pb.WindowDifference:
    return pb.WindowDifference(
        tenant_id=difference.tenant_id,
        limit_id=difference.limit_id,
        window_start=timestamp(difference.window_start),
        held=difference.held,
        held_by_reservations=difference.held_by_reservations,
        used=difference.used,
        charged_to_reservations=difference.charged_to_reservations,
    )


def read_difference(message: pb.WindowDifference, at: str) -> Difference:
    return Difference(
        tenant_id=message.tenant_id,
        limit_id=message.limit_id,
        window_start=required(read_time(message, "window_start", at), at, "window_start"),
        held=message.held,
        held_by_reservations=message.held_by_reservations,
        used=message.used,
        charged_to_reservations=message.charged_to_reservations,
    )


def _sample_message(sample: RefusalSample) -> pb.RefusalSample:
    return pb.RefusalSample(
        time=timestamp(sample.time),
        model=sample.model,
        requested=sample.requested,
        used=sample.used,
        held=sample.held,
        max_value=sample.max_value,
        blocked_by=BLOCKED_BY.number(sample.blocked_by),
        never_fits=sample.never_fits,
    )


def _read_sample(message: pb.RefusalSample, at: str) -> RefusalSample:
    return RefusalSample(
        time=required(read_time(message, "time", at), at, "time"),
        model=message.model,
        requested=message.requested,
        used=message.used,
        held=message.held,
        max_value=message.max_value,
        blocked_by=required(BLOCKED_BY.read(message, "blocked_by", at), at, "blocked_by"),
    )
