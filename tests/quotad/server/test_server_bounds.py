"""Deadlines and sizes: what passes them is answered, writes nothing and leaves the daemon well."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
import grpc.aio
import pytest

from protos.quota.v1 import quota_pb2 as pb
from protos.quota.v1 import quota_pb2_grpc as rpc
from quotad import errors as e
from quotad.server.daemon import METADATA_BYTES_MAX, REQUEST_BYTES_MAX
from tests.support.daemons import DATA_TOKEN, Daemon, quotad
from tests.support.waiting import eventually
from tests.support.web import fetch

DATA = (("authorization", f"Bearer {DATA_TOKEN}"),)


@pytest.fixture
async def stub(daemon: Daemon) -> AsyncIterator[rpc.QuotaServiceAsyncStub]:
    async with grpc.aio.insecure_channel(daemon.address) as channel:
        yield rpc.QuotaServiceStub(channel)


def reserve(reservation_id: str, api_key: str) -> pb.ReserveRequest:
    return pb.ReserveRequest(reservation_id=reservation_id, api_key=api_key, model="m", amounts={"total_tokens": 5})


async def was_never_seen(daemon: Daemon, reservation_id: str) -> bool:
    async with daemon.data() as client:
        try:
            await client.get_reservation(reservation_id)
        except e.ReservationNotFound:
            return True
    return False


async def test_a_call_without_a_deadline_is_bounded_by_the_daemon(database_url: str) -> None:
    async with quotad(database_url, call_seconds_max=0.3) as daemon:
        key = await daemon.create_key()
        async with grpc.aio.insecure_channel(daemon.address) as channel:
            async with daemon.windows_locked():
                with pytest.raises(grpc.aio.AioRpcError) as late:
                    await rpc.QuotaServiceStub(channel).Reserve(reserve("one", key.secret), metadata=DATA)
        assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert await was_never_seen(daemon, "one")


async def test_a_deadline_that_passes_in_the_queue_writes_nothing(database_url: str) -> None:
    patient = {"database_connections": 1, "lock_timeout_seconds": 30, "statement_timeout_seconds": 30}
    async with quotad(database_url, **patient) as daemon:
        key = await daemon.create_key()
        async with grpc.aio.insecure_channel(daemon.address) as channel:
            quota = rpc.QuotaServiceStub(channel)
            async with daemon.reservations_locked():
                first = asyncio.ensure_future(quota.Reserve(reserve("first", key.secret), metadata=DATA))
                await daemon.someone_waits()
                with pytest.raises(grpc.aio.AioRpcError) as late:
                    await quota.Reserve(reserve("queued", key.secret), metadata=DATA, timeout=0.3)
            assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            assert (await first).reservation.reservation_id == "first"
        assert await was_never_seen(daemon, "queued")


async def test_a_deadline_that_passes_is_counted_as_such(daemon: Daemon, stub: rpc.QuotaServiceAsyncStub) -> None:
    key = await daemon.create_key()
    async with daemon.windows_locked():
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.Reserve(reserve("one", key.secret), metadata=DATA, timeout=0.3)

    async def is_counted() -> bool:
        counted = 'quotad_calls_total{reason="DEADLINE_EXCEEDED",rpc="Reserve"}'
        return counted in await fetch(daemon.running.metrics_address, "/metrics")

    await eventually(is_counted)


async def test_a_caller_that_leaves_can_repeat_its_call(daemon: Daemon, stub: rpc.QuotaServiceAsyncStub) -> None:
    key = await daemon.create_key()
    async with daemon.windows_locked():
        call = stub.Reserve(reserve("left", key.secret), metadata=DATA)
        waiting = asyncio.ensure_future(call)
        await daemon.someone_waits()
        waiting.cancel()

        async def is_counted() -> bool:
            counted = 'quotad_calls_total{reason="CANCELLED",rpc="Reserve"}'
            return counted in await fetch(daemon.running.metrics_address, "/metrics")

        await eventually(is_counted)
    grant = await stub.Reserve(reserve("left", key.secret), metadata=DATA)
    assert grant.limits[0].held == 5


async def test_a_message_that_is_too_large_is_refused_and_the_connection_goes_on(
    daemon: Daemon, stub: rpc.QuotaServiceAsyncStub
) -> None:
    key = await daemon.create_key()
    large = reserve("one", key.secret)
    large.labels["l"] = "x" * (REQUEST_BYTES_MAX + 1)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.Reserve(large, metadata=DATA)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert refused.value.trailing_metadata() in (None, grpc.aio.Metadata())
    assert (await stub.Reserve(reserve("one", key.secret), metadata=DATA)).reservation.reservation_id == "one"


async def test_metadata_that_is_too_large_is_refused_and_the_next_call_is_served(
    daemon: Daemon, stub: rpc.QuotaServiceAsyncStub
) -> None:
    key = await daemon.create_key()
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.Reserve(reserve("one", key.secret), metadata=(*DATA, ("x", "y" * (METADATA_BYTES_MAX + 1))))
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (await stub.Reserve(reserve("one", key.secret), metadata=DATA)).reservation.reservation_id == "one"


async def test_bytes_that_are_no_message_are_a_definite_answer(daemon: Daemon) -> None:
    async with grpc.aio.insecure_channel(daemon.address) as channel:
        raw: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/quota.v1.QuotaService/Reserve")
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await raw(b"\xff\xff\xff", metadata=DATA)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "request is not a message of this call" in str(refused.value.details())
