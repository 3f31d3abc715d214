"""Nonsense from an authenticated caller: it is refused by a rule, tells nothing, and harms nobody else."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass

from protos.quota.v1 import quota_pb2 as pb
from protos.quota.v1 import quota_pb2_grpc as rpc
from quotad.client.admin import AdminClient
from quotad.client.connection import Connection
from quotad.client.types import CreatedKey
from quotad.values import Scope
from tests.faults.nonsense import Nonsense
from tests.support.daemons import ADMIN_TOKEN, Daemon, limit, quotad
from tests.support.extent import Extent

METADATA = (("authorization", f"Bearer {ADMIN_TOKEN}"),)
CALL_SECONDS = 10.0
TASKS = 8
CANARY = "canary-of-the-other-tenant"
BY_RULE = {
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.ABORTED,
}
_CODES = {code.value[0]: code for code in grpc.StatusCode}
METHODS = [method for service in pb.DESCRIPTOR.services_by_name.values() for method in service.methods]

pytestmark = pytest.mark.timeout(1800)


@dataclass(frozen=True, slots=True)
class Target:
    """A daemon with a key that nonsense may name, and one of another tenant that it cannot."""

    daemon: Daemon
    channel: grpc.aio.Channel
    mine: CreatedKey
    other: CreatedKey

    async def send(self, method: MethodDescriptor, request: bytes) -> tuple[grpc.StatusCode, bytes]:
        """The code, and all that was told."""
        try:
            answer = await self._answer(method, request)
            return _worst_item(method, answer), answer
        except grpc.aio.AioRpcError as error:
            return error.code(), repr((error.details(), error.trailing_metadata())).encode()

    async def _answer(self, method: MethodDescriptor, request: bytes) -> bytes:
        """A stream gets the request as its only message."""
        path = f"/{method.containing_service.full_name}/{method.name}"
        if method.client_streaming:
            stream: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = self.channel.stream_stream(path)
            answers = stream(iter([request]), timeout=CALL_SECONDS, metadata=METADATA)
            return b"".join([answer async for answer in answers])
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self.channel.unary_unary(path)
        return await call(request, timeout=CALL_SECONDS, metadata=METADATA)

    async def others_ledger(self) -> object:
        """What the other tenant has, without the moment at which it was read."""
        async with self.daemon.data() as client:
            scope = Scope(tenant_id=self.other.api_key.tenant_id)
            described = await client.describe_key(api_key=self.other.secret)
            return described.api_key, described.limits, await client.get_reservation("held", scope=scope)


def _worst_item(method: MethodDescriptor, answer: bytes) -> grpc.StatusCode:
    """OK, or the code of an item that no rule explains."""
    message = GetMessageClass(method.output_type)()
    message.ParseFromString(answer)
    codes = {_CODES[result.error.code] for result in getattr(message, "results", ()) if result.HasField("error")}
    return next(iter(codes - BY_RULE), grpc.StatusCode.OK)


@pytest.fixture
async def target(database_url: str) -> AsyncIterator[Target]:
    async with quotad(database_url) as daemon, grpc.aio.insecure_channel(daemon.address) as channel:
        async with Connection(daemon.address, ADMIN_TOKEN) as connection:
            admin = AdminClient(connection, "tests")
            mine = await admin.create_api_key("mine", limits=[limit(max_value=10**6)])
            other = await admin.create_api_key(CANARY, limits=[limit(max_value=10**6)], tenant_id=CANARY)
        async with daemon.data() as client:
            await client.reserve(
                "held",
                api_key=other.secret,
                model=CANARY,
                amounts={"total_tokens": 3},
                labels={"label": CANARY},
                lease_seconds=3600,
            )
            for reservation_id in ("one", "two"):
                await client.reserve(reservation_id, api_key=mine.secret, model="m", amounts={"total_tokens": 3})
        yield Target(daemon, channel, mine, other)


async def test_nonsense_is_refused_by_a_rule_tells_nothing_and_harms_nobody(target: Target, extent: Extent) -> None:
    before = await target.others_ledger()
    nonsense = Nonsense(1, _known(target.mine))
    counts: Counter[str] = Counter()

    async def send_some(requests: list[tuple[MethodDescriptor, bytes]]) -> None:
        for method, request in requests:
            code, told = await target.send(method, request)
            counts[code.name] += 1
            assert code in BY_RULE, f"{method.name} {request!r}: {code.name} {told!r}"
            assert CANARY.encode() not in told, f"{method.name} {request!r}: {told!r}"

    requests = [
        (method, nonsense.request(method.input_type)) for _ in range(extent.pick(150, 5000)) for method in METHODS
    ]
    async with asyncio.TaskGroup() as tasks:
        for number in range(TASKS):
            tasks.create_task(send_some(requests[number::TASKS]))
        tasks.create_task(_neighbour_works(target, calls=extent.pick(20, 500)))
    assert await target.others_ledger() == before
    await _neighbour_works(target, calls=1)
    extent.note(f"{len(requests)} requests to {len(METHODS)} RPCs: {dict(sorted(counts.items()))}")


def _known(key: CreatedKey) -> dict[str, Sequence[str | int]]:
    """By field: what the ledger knows, or takes."""
    ids = [f"id-{number}" for number in range(200)]
    return {
        "reservation_id": ids,
        "reservation_ids": ids,
        "request_id": ids,
        "tenant_id": ["default"],
        "api_key": [key.secret],
        "api_key_id": [key.api_key.api_key_id],
        "etag": [key.api_key.etag, ""],
        "model": ["m", "gpt-5"],
        "model_pattern": ["", "gpt-5*"],
        "allowed_models": ["m", "gpt-5*"],
        "metric": ["total_tokens", "requests", "cost_microusd"],
        "time_zone": ["", "UTC", "Europe/Paris"],
        "page_token": [""],
        "paths": ["name", "limits", "expire_time"],
        "seconds": [0, 1, 60, 3600],
        "nanos": [0],
    }


async def _neighbour_works(target: Target, calls: int) -> None:
    async with target.daemon.data() as client:
        key = await target.daemon.create_key(limit(max_value=10**6), name="neighbour")
        for number in range(calls):
            reservation_id = f"{key.api_key.api_key_id}-{number}"
            await client.reserve(reservation_id, api_key=key.secret, model="m", amounts={"total_tokens": 2})
            await client.finalize(
                reservation_id, amounts={"total_tokens": 1}, scope=Scope(api_key_id=key.api_key.api_key_id)
            )
        described = await client.describe_key(api_key=key.secret)
    assert [(status.used, status.held) for status in described.limits] == [(calls, 0)]


@pytest.mark.parametrize("place", [0, 10, 20])
async def test_one_poisonous_operation_harms_no_neighbour(target: Target, place: int) -> None:
    """The database itself refuses one of a batch, for a reason that no rule foresees."""
    await target.daemon.execute("ALTER TABLE quotad.reservations ADD CONSTRAINT poison CHECK (model <> 'poison')")
    items = [
        pb.ReserveRequest(
            reservation_id=f"{place}-{number}",
            api_key=target.mine.secret,
            model="poison" if number == place else "m",
            amounts={"total_tokens": 1},
        )
        for number in range(21)
    ]
    stub = rpc.QuotaServiceStub(target.channel)
    answer = await stub.BatchReserve(pb.BatchReserveRequest(items=items), metadata=METADATA)
    failed = [number for number, result in enumerate(answer.results) if result.HasField("error")]
    assert failed == [place]
    assert _CODES[answer.results[place].error.code] is grpc.StatusCode.INTERNAL
    assert "poison" not in answer.results[place].error.message
