"""Operations that come many at a time, each with its own answer or error: batches, and messages of an Exchange."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TypeAlias, TypeVar

from protos.quota.v1 import quota_pb2 as pb
from quotad.core.operations import (
    Answer,
    Check,
    CheckAnswer,
    Describe,
    Operation,
    ReadAnswer,
    ReserveAnswer,
    SettleAnswer,
)
from quotad.errors import InvalidRequest, QuotaError
from quotad.server.answering import Answering
from quotad.server.translation import (
    check_operation,
    check_response,
    finalize_operation,
    finalize_response,
    read_operation,
    read_response,
    release_operation,
    release_response,
    renew_operation,
    renew_response,
    reservation_view,
    reserve_operation,
    reserve_response,
)
from quotad.values import KeyDescription
from quotad.wire.errors import outcome_message
from quotad.wire.keys import description_message
from quotad.wire.reservations import read_subject
from quotad.wire.scalars import Malformed, read_duration

ITEMS_MAX = 1000

Asked: TypeAlias = Operation | Check | Describe | QuotaError | Malformed
"""What an item asks, or what is wrong with it."""
Told: TypeAlias = Answer | CheckAnswer | KeyDescription | Exception
Item = TypeVar("Item")
Read = TypeVar("Read")


def check_count(field: str, items: Sequence[object]) -> None:
    """Raises `InvalidRequest` for too many items, or none."""
    if not 1 <= len(items) <= ITEMS_MAX:
        raise InvalidRequest(field, f"give 1 to {ITEMS_MAX} {field}")


async def batch_reserve(
    answering: Answering, request: pb.BatchReserveRequest, seconds: float | None
) -> pb.BatchReserveResponse:
    check_count("items", request.items)
    asked = [_asked(item, reserve_operation) for item in request.items]
    told = await perform_all(answering, asked, [seconds] * len(asked))
    results = [_reserve_result(item, answer) for item, answer in zip(request.items, told, strict=True)]
    return pb.BatchReserveResponse(results=results)


async def batch_settle(
    answering: Answering, request: pb.BatchSettleRequest, seconds: float | None
) -> pb.BatchSettleResponse:
    check_count("items", request.items)
    asked = [_asked(item, _settle_operation) for item in request.items]
    told = await perform_all(answering, asked, [seconds] * len(asked))
    results = [_settle_result(item, answer) for item, answer in zip(request.items, told, strict=True)]
    return pb.BatchSettleResponse(results=results)


async def exchange(answering: Answering, request: pb.ExchangeRequest) -> pb.ExchangeResponse:
    """Answer one message. A wrong time-out is the operation's own error."""
    asked = [_asked(item, _exchange_operation) for item in request.operations]
    timeouts: list[float | None] = []
    for place, item in enumerate(request.operations):
        timeout = _asked(item, _timeout) if item.HasField("timeout") else None
        if isinstance(timeout, Exception):
            asked[place], timeout = timeout, None
        timeouts.append(timeout)
    told = await perform_all(answering, asked, timeouts)
    results = [_exchange_result(item, answer) for item, answer in zip(request.operations, told, strict=True)]
    return pb.ExchangeResponse(message_number=request.message_number, results=results)


async def perform_all(answering: Answering, asked: Sequence[Asked], timeouts: Sequence[float | None]) -> list[Told]:
    """One answer or error per item, in order."""
    told: list[Told | None] = [None] * len(asked)
    places, operations, looks = [], [], []
    for place, item in enumerate(asked):
        if isinstance(item, Exception):
            told[place] = item
        elif isinstance(item, Check | Describe):
            looks.append((place, item))
        else:
            places.append(place)
            operations.append(item)
    if operations:
        answers = await answering.perform(operations, [timeouts[place] for place in places])
        for place, answer in zip(places, answers, strict=True):
            told[place] = answer
    for place, look in looks:
        told[place] = await _look(answering, look)
    return [answer for answer in told if answer is not None]


async def _look(answering: Answering, item: Check | Describe) -> Told:
    try:
        return await (answering.check(item) if isinstance(item, Check) else answering.describe_key(item.subject))
    except QuotaError as error:
        return error


def _asked(item: Item, read: Callable[[Item], Read]) -> Read | QuotaError | Malformed:
    try:
        return read(item)
    except (QuotaError, Malformed) as wrong:
        return wrong


def _timeout(item: pb.ExchangeOperation) -> float:
    seconds = (read_duration(item, "timeout") or timedelta()).total_seconds()
    if seconds <= 0:
        raise InvalidRequest("timeout", "a time-out is longer than nothing")
    return seconds


def _settle_operation(item: pb.BatchSettleItem) -> Operation:
    match item.WhichOneof("item"):
        case "finalize":
            return finalize_operation(item.finalize)
        case "release":
            return release_operation(item.release)
        case None:
            raise InvalidRequest("item", "an item is a finalize or a release")


def _exchange_operation(item: pb.ExchangeOperation) -> Operation | Check | Describe:
    match item.WhichOneof("operation"):
        case "reserve":
            return reserve_operation(item.reserve)
        case "finalize":
            return finalize_operation(item.finalize)
        case "release":
            return release_operation(item.release)
        case "renew":
            return renew_operation(item.renew)
        case "get_reservation":
            return read_operation(item.get_reservation)
        case "check":
            return check_operation(item.check)
        case "describe_key":
            return Describe(read_subject(item.describe_key))
        case None:
            raise InvalidRequest("operation", "an operation of a kind that this daemon knows is required")


def _reserve_result(item: pb.ReserveRequest, told: Told) -> pb.BatchReserveResult:
    if isinstance(told, ReserveAnswer):
        return pb.BatchReserveResult(reserve=reserve_response(told, reservation_view(item)))
    return pb.BatchReserveResult(error=_error(told))


def _settle_result(item: pb.BatchSettleItem, told: Told) -> pb.BatchSettleResult:
    if not isinstance(told, SettleAnswer):
        return pb.BatchSettleResult(error=_error(told))
    if item.HasField("finalize"):
        return pb.BatchSettleResult(finalize=finalize_response(told, reservation_view(item.finalize)))
    return pb.BatchSettleResult(release=release_response(told, reservation_view(item.release)))


def _exchange_result(item: pb.ExchangeOperation, told: Told) -> pb.ExchangeResult:
    match told:
        case ReserveAnswer():
            return pb.ExchangeResult(reserve=reserve_response(told, reservation_view(item.reserve)))
        case SettleAnswer() if item.HasField("finalize"):
            return pb.ExchangeResult(finalize=finalize_response(told, reservation_view(item.finalize)))
        case SettleAnswer():
            return pb.ExchangeResult(release=release_response(told, reservation_view(item.release)))
        case tuple():
            return pb.ExchangeResult(renew=renew_response(told))
        case ReadAnswer():
            return pb.ExchangeResult(get_reservation=read_response(told))
        case CheckAnswer():
            return pb.ExchangeResult(check=check_response(told))
        case KeyDescription():
            return pb.ExchangeResult(describe_key=description_message(pb.DescribeKeyResponse, told))
        case _:
            return pb.ExchangeResult(error=_error(told))


def _error(told: Told) -> pb.Error:
    return outcome_message(told if isinstance(told, Exception) else TypeError("no answer to this operation"))
