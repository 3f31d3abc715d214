from __future__ import annotations

import time
from collections.abc import AsyncIterator

import grpc
import grpc.aio
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, QuotaFailure, RetryInfo
from google.rpc.status_pb2 import Status

from protos.quota.v1 import quota_pb2 as pb
from protos.quota.v1 import quota_pb2_grpc as rpc
from quotad import errors as e
from quotad.wire.errors import STATUS_METADATA
from tests.support.daemons import ADMIN_TOKEN, DATA_TOKEN, Daemon, limit
from tests.support.waiting import eventually

DATA = (("authorization", f"Bearer {DATA_TOKEN}"),)
ADMIN = (("authorization", f"Bearer {ADMIN_TOKEN}"),)


@pytest.fixture
async def channel(daemon: Daemon) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(daemon.address) as channel:
        yield channel


def status_of(error: grpc.aio.AioRpcError) -> Status:
    for name, value in error.trailing_metadata() or ():
        if name == STATUS_METADATA and isinstance(value, bytes):
            return Status.FromString(value)
    raise AssertionError("no google.rpc.Status in the trailing metadata")


def detail_names(status: Status) -> list[str]:
    return [detail.TypeName() for detail in status.details]


async def test_a_refusal_carries_the_standard_details(daemon: Daemon, channel: grpc.aio.Channel) -> None:
    """B7: any gRPC client can read why, without knowing our messages."""
    key = await daemon.create_key(limit(max_value=10))
    stub = rpc.QuotaServiceStub(channel)

    def request(reservation_id: str) -> pb.ReserveRequest:
        return pb.ReserveRequest(
            reservation_id=reservation_id, api_key=key.secret, model="m", amounts={"total_tokens": 8}
        )

    await stub.Reserve(request("one"), metadata=DATA)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.Reserve(request("two"), metadata=DATA)
    status = status_of(refused.value)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (status.code, status.message) == (8, refused.value.details())
    assert detail_names(status) == [
        "google.rpc.ErrorInfo",
        "quota.v1.QuotaDenial",
        "google.rpc.QuotaFailure",
        "google.rpc.RetryInfo",
    ]
    info = ErrorInfo.FromString(status.details[0].value)
    assert (info.reason, info.domain) == ("QUOTA_EXCEEDED", "quota")
    failure = QuotaFailure.FromString(status.details[2].value)
    assert failure.violations[0].subject == f"api_key:{key.api_key.api_key_id}"
    assert RetryInfo.FromString(status.details[3].value).retry_delay.seconds == 1


async def test_a_refusal_of_a_key_with_every_limit_it_may_have_arrives_whole(daemon: Daemon) -> None:
    limits = [
        limit(max_value=n, model_pattern=f"a-model-with-a-long-name-{n:02}".ljust(63, "x")[:n] + "*")
        for n in range(1, 65)
    ]
    key = await daemon.create_key(*limits, name="n" * 128)
    async with daemon.data() as client:
        with pytest.raises(e.RequestExceedsLimit) as refused:
            await client.reserve(
                "one",
                api_key=key.secret,
                model="a-model-with-a-long-name-64".ljust(80, "x"),
                amounts={"total_tokens": 100},
            )
    assert len(refused.value.denial.violations) > 1


LIMIT_WITHOUT_KIND = pb.ApiKey(name="x", limits=[pb.Limit(metric="requests", max_value=1)])


@pytest.mark.parametrize(
    ("method", "request_", "field"),
    [
        ("Reserve", pb.ReserveRequest(reservation_id="x"), "subject"),
        ("Reserve", pb.ReserveRequest(api_key="k"), "reservation_id"),
        ("Reserve", pb.ReserveRequest(reservation_id="x", api_key="k", lease=Duration(nanos=-1)), "lease"),
        ("Reserve", pb.ReserveRequest(reservation_id="x", api_key="k", lease=Duration(seconds=2**60)), "lease"),
        ("Reserve", pb.ReserveRequest.FromString(b"\x0a\x01x\x12\x01k\x48\x63"), "limits_view"),
        ("Renew", pb.RenewRequest(), "reservation_ids"),
        ("Finalize", pb.FinalizeRequest(reservation_id="x", allow_unreserved=True), "age"),
        ("Finalize", pb.FinalizeRequest.FromString(b"\x12\x01x\x20\x63"), "basis"),
        ("Release", pb.ReleaseRequest(), "reservation_id"),
        ("GetReservation", pb.GetReservationRequest(), "reservation_id"),
        ("DescribeKey", pb.DescribeKeyRequest(), "subject"),
        (
            "CreateApiKey",
            pb.CreateApiKeyRequest(request_id="r", api_key=LIMIT_WITHOUT_KIND),
            "api_key.limits[0].window.kind",
        ),
        ("CreateApiKey", pb.CreateApiKeyRequest(request_id="r"), "api_key.name"),
        ("CreateApiKey", pb.CreateApiKeyRequest(api_key=pb.ApiKey(name="x")), "request_id"),
        ("UpdateApiKey", pb.UpdateApiKeyRequest(api_key=pb.ApiKey(api_key_id="k")), "update_mask"),
        ("UpdateApiKey", pb.UpdateApiKeyRequest(update_mask=FieldMask(paths=["etag"])), "update_mask"),
        ("ListApiKeys", pb.ListApiKeysRequest(page_size=-1), "page_size"),
    ],
)
async def test_a_bad_field_is_named(channel: grpc.aio.Channel, method: str, request_: object, field: str) -> None:
    stub = rpc.AdminServiceStub(channel) if "ApiKey" in method else rpc.QuotaServiceStub(channel)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await getattr(stub, method)(request_, metadata=ADMIN)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    status = status_of(refused.value)
    assert ErrorInfo.FromString(status.details[0].value).reason == "INVALID_REQUEST"
    assert BadRequest.FromString(status.details[1].value).field_violations[0].field == field


async def test_what_nobody_foresaw_is_internal_and_tells_nothing(daemon: Daemon, channel: grpc.aio.Channel) -> None:
    await daemon.execute("DROP TABLE quotad.api_key_tenants")
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await rpc.QuotaServiceStub(channel).DescribeKey(pb.DescribeKeyRequest(api_key_id="k"), metadata=DATA)
    assert failed.value.code() is grpc.StatusCode.INTERNAL
    assert "api_key_tenants" not in str(failed.value)
    assert failed.value.details() == "internal error; see the log of quotad"


async def test_a_call_whose_deadline_passes_writes_nothing(daemon: Daemon, channel: grpc.aio.Channel) -> None:
    key = await daemon.create_key()
    request = pb.ReserveRequest(reservation_id="one", api_key=key.secret, model="m", amounts={"total_tokens": 5})
    async with daemon.windows_locked():
        with pytest.raises(grpc.aio.AioRpcError) as late:
            await rpc.QuotaServiceStub(channel).Reserve(request, metadata=DATA, timeout=0.3)
        assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    async with daemon.data() as client:
        with pytest.raises(e.ReservationNotFound):
            await client.get_reservation("one")
        assert (await client.describe_key(api_key=key.secret)).limits[0].held == 0


async def test_a_database_that_is_away_is_told_fast_and_with_a_delay(daemon: Daemon, channel: grpc.aio.Channel) -> None:
    key = await daemon.create_key()
    request = pb.DescribeKeyRequest(api_key=key.secret)
    async with daemon.database_away():
        began = time.monotonic()
        with pytest.raises(grpc.aio.AioRpcError) as away:
            await rpc.QuotaServiceStub(channel).DescribeKey(request, metadata=DATA)
        assert time.monotonic() - began < 2
        assert away.value.code() is grpc.StatusCode.UNAVAILABLE
        assert detail_names(status_of(away.value)) == ["google.rpc.ErrorInfo", "google.rpc.RetryInfo"]

    async def answers() -> bool:
        try:
            await rpc.QuotaServiceStub(channel).DescribeKey(request, metadata=DATA)
        except grpc.aio.AioRpcError:
            return False
        return True

    await eventually(answers)
