from __future__ import annotations

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given

from protos.quota.v1 import quota_pb2 as pb
from quotad import records as r
from quotad.wire.records import (
    LIMIT_ORDERS,
    difference_message,
    read_difference,
    read_refusal,
    read_usage,
    refusal_message,
    usage_message,
)
from quotad.wire.scalars import Malformed
from tests.quotad.wire import strategies


@given(strategies.usage_totals)
def test_a_total_survives_the_wire(total: r.UsageTotal) -> None:
    assert read_usage(usage_message(total), "totals[0]") == total


@given(strategies.refusals)
def test_a_refusal_survives_the_wire(count: r.RefusalCount) -> None:
    message = refusal_message(count)
    assert read_refusal(message, "refusals[0]") == count
    assert [sample.never_fits for sample in message.samples] == [sample.never_fits for sample in count.samples]


@given(strategies.differences)
def test_a_difference_survives_the_wire(difference: r.Difference) -> None:
    assert read_difference(difference_message(difference), "differences[0]") == difference


def test_the_orders_of_limits_are_the_enum_of_the_contract() -> None:
    assert {LIMIT_ORDERS.number(order) for order in r.LimitOrder} == set(pb.LimitOrder.values()) - {0}


def test_what_is_missing_is_named() -> None:
    with pytest.raises(Malformed, match="time"):
        read_refusal(
            pb.RefusalCount(
                minute=Timestamp(seconds=60),
                limit=pb.Limit(window=pb.Window(kind=pb.WINDOW_KIND_DAY)),
                enforcement=pb.ENFORCEMENT_ENFORCE,
                samples=[pb.RefusalSample()],
            ),
            "refusals[0]",
        )
