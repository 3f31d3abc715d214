from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from protos.quota.v1 import quota_pb2 as pb
from protos.quota.v1 import quota_pb2_grpc as rpc
from quotad.wire.errors import STATUS_METADATA, read_status_bytes
from tests.support.daemons import ADMIN_TOKEN, DATA_TOKEN, Daemon
from tests.support.waiting import eventually

Metadata = tuple[tuple[str, str], ...]


def bearer(token: str) -> Metadata:
    return (("authorization", f"Bearer {token}"),)


def reason_of(error: grpc.aio.AioRpcError) -> str:
    for name, value in error.trailing_metadata() or ():
        if name == STATUS_METADATA and isinstance(value, bytes):
            known = read_status_bytes(value)
            return known.reason if known else ""
    return ""


@pytest.fixture
async def channel(daemon: Daemon) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(daemon.address) as channel:
        yield channel


@pytest.mark.parametrize(
    "metadata",
    [
        (),
        bearer("wrong-token-of-a-stranger"),
        (("authorization", DATA_TOKEN),),
        (("authorization", "Basic " + DATA_TOKEN),),
    ],
    ids=["no token", "a wrong one", "no scheme", "another scheme"],
)
async def test_a_call_without_a_known_token_is_refused(channel: grpc.aio.Channel, metadata: Metadata) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await rpc.QuotaServiceStub(channel).Reserve(pb.ReserveRequest(), metadata=metadata)
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert reason_of(refused.value) == "CALLER_UNAUTHENTICATED"
    assert "stranger" not in str(refused.value)


async def test_a_data_token_may_not_edit(channel: grpc.aio.Channel) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await rpc.AdminServiceStub(channel).ListApiKeys(pb.ListApiKeysRequest(), metadata=bearer(DATA_TOKEN))
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert reason_of(refused.value) == "CALLER_NOT_ALLOWED"


async def test_an_admin_token_may_do_both(channel: grpc.aio.Channel) -> None:
    await rpc.AdminServiceStub(channel).ListApiKeys(pb.ListApiKeysRequest(), metadata=bearer(ADMIN_TOKEN))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await rpc.QuotaServiceStub(channel).DescribeKey(
            pb.DescribeKeyRequest(api_key="nobody"), metadata=bearer(ADMIN_TOKEN)
        )
    assert reason_of(refused.value) == "API_KEY_UNKNOWN"


async def test_health_needs_no_token(channel: grpc.aio.Channel) -> None:
    answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def services(channel: grpc.aio.Channel, metadata: Metadata) -> set[str]:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    call = stub.ServerReflectionInfo(metadata=metadata)
    await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
    await call.done_writing()
    answers = [answer async for answer in call]
    return {service.name for service in answers[0].list_services_response.service}


async def test_reflection_needs_a_token(channel: grpc.aio.Channel) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await services(channel, ())
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert {"quota.v1.QuotaService", "quota.v1.AdminService"} <= await services(channel, bearer(DATA_TOKEN))


async def test_an_unknown_method_is_unimplemented(channel: grpc.aio.Channel) -> None:
    unknown: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/quota.v1.QuotaService/Nothing")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await unknown(b"", metadata=bearer(DATA_TOKEN))
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_revoked_token_stops_working_without_a_restart(daemon: Daemon, channel: grpc.aio.Channel) -> None:
    await daemon.execute("DELETE FROM quotad.service_tokens WHERE name = 'bootstrap-admin'")

    async def is_refused() -> bool:
        try:
            await rpc.AdminServiceStub(channel).ListApiKeys(pb.ListApiKeysRequest(), metadata=bearer(ADMIN_TOKEN))
        except grpc.aio.AioRpcError as error:
            return reason_of(error) == "CALLER_UNAUTHENTICATED"
        return False

    await eventually(is_refused)
