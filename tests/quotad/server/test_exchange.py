"""The stream of operations on real sockets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest

from protos.quota.v1 import quota_pb2 as pb
from protos.quota.v1 import quota_pb2_grpc as rpc
from quotad.client.types import ReservationState
from quotad.wire.scalars import RESERVATION_STATES
from tests.support.daemons import DATA_TOKEN, Daemon

AUTHORIZATION = (("authorization", f"Bearer {DATA_TOKEN}"),)


@asynccontextmanager
async def stream(daemon: Daemon) -> AsyncIterator[Any]:
    async with grpc.aio.insecure_channel(daemon.address) as channel:
        call = rpc.QuotaServiceStub(channel).Exchange(metadata=AUTHORIZATION)
        yield call
        call.cancel()


def reserve(reservation_id: str, secret: str, tokens: int = 1) -> pb.ExchangeOperation:
    request = pb.ReserveRequest(
        reservation_id=reservation_id, api_key=secret, model="m", amounts={"total_tokens": tokens}
    )
    return pb.ExchangeOperation(reserve=request)


def finalize(reservation_id: str, tokens: int) -> pb.ExchangeOperation:
    request = pb.FinalizeRequest(reservation_id=reservation_id, amounts={"total_tokens": tokens})
    return pb.ExchangeOperation(finalize=request)


async def test_operations_on_one_id_take_effect_in_the_order_given(daemon: Daemon) -> None:
    key = await daemon.create_key()
    get = pb.ExchangeOperation(get_reservation=pb.GetReservationRequest(reservation_id="a"))
    message = pb.ExchangeRequest(message_number=7, operations=[reserve("a", key.secret), finalize("a", 1), get])
    async with stream(daemon) as call:
        await call.write(message)
        answer = await call.read()
    assert answer.message_number == 7
    held, charged, read = answer.results
    assert held.reserve.reservation.state == RESERVATION_STATES.number(ReservationState.RESERVED)
    assert charged.finalize.changed
    assert read.get_reservation.reservation.actual["total_tokens"] == 1


async def test_operations_fail_one_by_one(daemon: Daemon) -> None:
    key = await daemon.create_key()
    operations = [
        reserve("bad id", key.secret),
        reserve("good", key.secret),
        pb.ExchangeOperation(),
        reserve("stranger", "no such secret"),
        pb.ExchangeOperation(describe_key=pb.DescribeKeyRequest(api_key=key.secret)),
    ]
    async with stream(daemon) as call:
        await call.write(pb.ExchangeRequest(message_number=1, operations=operations))
        answer = await call.read()
    assert [result.WhichOneof("result") for result in answer.results] == [
        "error",
        "reserve",
        "error",
        "error",
        "describe_key",
    ]
    codes = [result.error.code for result in answer.results if result.HasField("error")]
    assert codes == [
        grpc.StatusCode.INVALID_ARGUMENT.value[0],
        grpc.StatusCode.INVALID_ARGUMENT.value[0],
        grpc.StatusCode.UNAUTHENTICATED.value[0],
    ]


async def test_an_operation_whose_time_is_up_is_not_written(daemon: Daemon) -> None:
    key = await daemon.create_key()
    late = reserve("late", key.secret)
    late.timeout.FromMilliseconds(200)
    async with stream(daemon) as call:
        async with daemon.windows_locked():
            await call.write(pb.ExchangeRequest(message_number=1, operations=[late]))
            await daemon.someone_waits()
            await daemon.time_passes(0.3)
        answer = await call.read()
        assert answer.results[0].error.code == grpc.StatusCode.DEADLINE_EXCEEDED.value[0]
    async with daemon.data() as client:
        assert (await client.describe_key(api_key=key.secret)).limits[0].held == 0


@pytest.mark.parametrize("count", [0, 1001])
async def test_a_message_of_no_or_too_many_operations_ends_the_stream(daemon: Daemon, count: int) -> None:
    async with stream(daemon) as call:
        await call.write(pb.ExchangeRequest(message_number=1, operations=[finalize("a", 1)] * count))
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await call.read()
        assert ended.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_stop_answers_what_was_accepted_and_ends_the_stream(daemon: Daemon) -> None:
    key = await daemon.create_key()
    async with stream(daemon) as call:
        async with daemon.windows_locked():
            await call.write(pb.ExchangeRequest(message_number=1, operations=[reserve("a", key.secret)]))
            await daemon.someone_waits()
            daemon.begin_stop()
        answer = await call.read()
        assert answer.results[0].HasField("reserve")
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await call.read()
        assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
