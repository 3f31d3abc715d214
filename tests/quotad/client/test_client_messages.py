from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protos.quota.v1 import quota_pb2 as pb
from quotad.client.messages import (
    MESSAGES_MAX,
    OPERATIONS_MAX,
    REQUEST_BYTES_MAX,
    SILENT_SECONDS,
    SLOW_MESSAGES_MAX,
    SLOW_SECONDS,
    Asked,
    UnderWay,
    Waiting,
)
from quotad.client.types import OutcomeUnknown
from quotad.server.exchange import MESSAGE_BYTES_MAX
from quotad.server.items import check_count

NOW = 1000.0


def asked(text_bytes: int = 1, ends_at: float = NOW + 5) -> Asked:
    request = pb.ReleaseRequest(reason="r" * text_bytes)
    loop = asyncio.new_event_loop()
    loop.close()
    return Asked("release", request, request.ByteSize(), asyncio.Future(loop=loop), ends_at)


def waiting(*operations: Asked) -> Waiting:
    queue = Waiting("somewhere")
    for operation in operations:
        queue.add(operation)
    return queue


def message(batch: list[Asked]) -> pb.ExchangeRequest:
    return pb.ExchangeRequest(message_number=2**62, operations=[each.operation(NOW) for each in batch])


@given(st.lists(st.sampled_from([1, 100, 50_000, 600_000, REQUEST_BYTES_MAX - 8]), max_size=40))
def test_no_message_is_larger_than_the_contract_allows_and_none_is_empty(sizes: list[int]) -> None:
    operations = [asked(size) for size in sizes]
    queue, sent = waiting(*operations), list[Asked]()
    while queue:
        batch = queue.next_batch(NOW)
        assert batch
        assert message(batch).ByteSize() <= MESSAGE_BYTES_MAX
        sent += batch
    assert sent == operations


def test_no_message_has_more_operations_than_the_contract_allows() -> None:
    queue = waiting(*(asked() for _ in range(1_500)))
    while queue:
        batch = queue.next_batch(NOW)
        check_count("operations", batch)
        assert len(batch) <= OPERATIONS_MAX


def test_a_caller_that_has_left_is_in_no_message() -> None:
    gone, stays = asked(), asked()
    gone.answer.cancel()
    assert waiting(gone, stays).next_batch(NOW) == [stays]


def test_an_operation_without_time_left_is_in_no_message() -> None:
    late, stays = asked(ends_at=NOW), asked()
    assert waiting(late, stays).next_batch(NOW) == [stays]
    assert isinstance(late.answer.exception(), OutcomeUnknown)


def test_an_operation_tells_what_is_left_of_its_time() -> None:
    assert asked(ends_at=NOW + 1.5).operation(NOW).timeout.ToTimedelta().total_seconds() == pytest.approx(1.5)


def test_slow_messages_make_room_for_further_ones_up_to_a_bound() -> None:
    under_way, now = UnderWay(), NOW
    for _ in range(MESSAGES_MAX):
        assert under_way.has_room(now)
        under_way.add([asked()], now)
    assert not under_way.has_room(now)
    for _ in range(SLOW_MESSAGES_MAX - MESSAGES_MAX):
        now += SLOW_SECONDS
        assert under_way.has_room(now)
        under_way.add([asked()], now)
    assert not under_way.has_room(now + SLOW_SECONDS)


def test_a_stream_is_silent_when_a_message_is_late_and_nothing_comes() -> None:
    under_way = UnderWay()
    under_way.add([asked(ends_at=NOW + 1), asked(ends_at=NOW + 2)], NOW)
    assert not under_way.is_silent(NOW + 2)
    assert under_way.is_silent(NOW + 3)
    under_way.add([asked()], NOW + 2)
    under_way.answered(2, NOW + 2.9)
    assert not under_way.is_silent(NOW + 3)
    assert under_way.is_silent(NOW + 3 + SILENT_SECONDS)
