from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from protos.quota.v1 import quota_pb2 as pb
from protos.quota.v1 import quota_pb2_grpc as rpc
from quotad.errors import QuotaExceeded
from tests.support.daemons import DATA_TOKEN, Daemon, limit, quotad
from tests.support.waiting import eventually
from tests.support.web import fetch

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
DATA = (("authorization", f"Bearer {DATA_TOKEN}"),)


@pytest.fixture
async def channel(daemon: Daemon) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(daemon.address) as channel:
        yield channel


@pytest.mark.parametrize("service", ["", "quota.v1.QuotaService", "quota.v1.AdminService"])
async def test_every_service_is_serving(channel: grpc.aio.Channel, service: str) -> None:
    answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=service))
    assert answer.status == SERVING


async def test_a_service_that_is_not_served_has_no_health(channel: grpc.aio.Channel) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as unknown:
        await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service="quota.v2.QuotaService"))
    assert unknown.value.code() is grpc.StatusCode.NOT_FOUND


async def test_health_follows_the_database(daemon: Daemon, channel: grpc.aio.Channel) -> None:
    watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
    assert (await watch.read()).status == SERVING
    assert "200 OK" in await fetch(daemon.running.metrics_address, "/readyz")
    async with daemon.database_away():
        assert (await watch.read()).status == NOT_SERVING
        assert "503" in await fetch(daemon.running.metrics_address, "/readyz")
    assert (await watch.read()).status == SERVING
    watch.cancel()


async def test_a_stop_answers_what_was_accepted_and_refuses_the_rest(database_url: str) -> None:
    # Patient with locks, so that only the stop decides what becomes of the accepted call.
    patient = {"lock_timeout_seconds": 30, "statement_timeout_seconds": 30, "call_seconds_max": 30, "stop_seconds": 30}
    async with quotad(database_url, **patient) as daemon, grpc.aio.insecure_channel(daemon.address) as channel:
        key = await daemon.create_key()
        stub = rpc.QuotaServiceStub(channel)
        request = pb.ReserveRequest(
            reservation_id="accepted", api_key=key.secret, model="m", amounts={"total_tokens": 1}
        )
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == SERVING

        async def is_refused() -> bool:
            """Health says it before the listener does it, so a call in between is still answered."""
            try:
                await stub.DescribeKey(pb.DescribeKeyRequest(api_key=key.secret), metadata=DATA, timeout=5)
            except grpc.aio.AioRpcError as refused:
                return refused.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
            return False

        async with daemon.reservations_locked():
            accepted = asyncio.ensure_future(stub.Reserve(request, metadata=DATA))
            await daemon.someone_waits()
            daemon.begin_stop()
            assert (await watch.read()).status == NOT_SERVING
            await eventually(is_refused)
            assert not accepted.done()
        assert (await accepted).reservation.state == pb.RESERVATION_STATE_RESERVED
        async with asyncio.timeout(10):  # the watch is still open, and does not hold the stop up
            await daemon.stop()


async def test_metrics_count_calls_by_reason(daemon: Daemon) -> None:
    key = await daemon.create_key()
    async with daemon.data(coalesce=False) as client:
        await client.reserve("metric", api_key=key.secret, model="m", amounts={"total_tokens": 1}, lease_seconds=1)

    async def counted() -> bool:
        text = await fetch(daemon.running.metrics_address, "/metrics")
        calls = 'quotad_calls_total{reason="OK",rpc="Reserve"}' in text
        seconds = 'quotad_call_seconds_bucket{le="0.1",reason="OK",rpc="Reserve"}' in text
        return (
            calls
            and seconds
            and "quotad_late_settlements_total" in text
            and "quotad_holds_expired_total 0.0" not in text
        )

    await eventually(counted)


@pytest.mark.parametrize("coalesce", [True, False])
async def test_metrics_count_operations_by_kind_however_they_came(daemon: Daemon, coalesce: bool) -> None:  # noqa: FBT001
    key = await daemon.create_key(limit(max_value=1))
    before = await operations_counted(daemon)
    async with daemon.data(coalesce=coalesce) as client:
        await client.reserve("counted", api_key=key.secret, model="m", amounts={"total_tokens": 1})
        with pytest.raises(QuotaExceeded):
            await client.reserve("refused", api_key=key.secret, model="m", amounts={"total_tokens": 1})
    after = await operations_counted(daemon)
    made = {name: after[name] - before.get(name, 0) for name in after if after[name] > before.get(name, 0)}
    assert made == {
        'quotad_operations_total{operation="reserve",reason="OK"}': 1,
        'quotad_operations_total{operation="reserve",reason="QUOTA_EXCEEDED"}': 1,
    }


async def operations_counted(daemon: Daemon) -> dict[str, float]:
    lines = (await daemon.metrics()).splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if line.startswith("quotad_operations_total{"))
    return {name: float(value) for name, value in pairs}
