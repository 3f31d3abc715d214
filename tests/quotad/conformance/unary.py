"""Plain stubs, one RPC for each operation, no repeats."""

from __future__ import annotations

from typing import TypeVar

import grpc
import grpc.aio

from protos.quota.v1 import quota_pb2_grpc as rpc
from quotad.client.types import Checked, Grant, Renewal, Settlement
from quotad.core.operations import Check, Finalize, Release, Renew, Reserve
from quotad.values import KeyDescription, Reservation, Scope, Subject
from quotad.wire.errors import STATUS_METADATA, read_status_bytes
from quotad.wire.keys import read_description
from quotad.wire.reservations import read_reservation
from tests.quotad.conformance import messages

CALL_SECONDS_MAX = 10.0

Request = TypeVar("Request")
Response = TypeVar("Response")


class Unary:
    """`QuotaService`, call by call."""

    def __init__(self, address: str, token: str) -> None:
        self._channel = grpc.aio.insecure_channel(address)
        self._metadata = (("authorization", f"Bearer {token}"),)
        self.stub: rpc.QuotaServiceAsyncStub = rpc.QuotaServiceStub(self._channel)

    async def close(self) -> None:
        await self._channel.close()

    async def reserve(self, operation: Reserve) -> Grant:
        return messages.grant(await self.call(self.stub.Reserve, messages.reserve_request(operation)))

    async def renew(self, operation: Renew) -> tuple[Renewal, ...]:
        return messages.renewals(await self.call(self.stub.Renew, messages.renew_request(operation)))

    async def finalize(self, operation: Finalize) -> Settlement:
        return messages.finalized(await self.call(self.stub.Finalize, messages.finalize_request(operation)))

    async def release(self, operation: Release) -> Settlement:
        return messages.released(await self.call(self.stub.Release, messages.release_request(operation)))

    async def get_reservation(self, scope: Scope, reservation_id: str) -> Reservation:
        request = messages.reservation_request(scope, reservation_id)
        return read_reservation((await self.call(self.stub.GetReservation, request)).reservation)

    async def check(self, operation: Check) -> Checked:
        return messages.checked(await self.call(self.stub.Check, messages.check_request(operation)))

    async def describe_key(self, subject: Subject) -> KeyDescription:
        return read_description(await self.call(self.stub.DescribeKey, messages.describe_request(subject)))

    async def call(self, method: grpc.aio.UnaryUnaryMultiCallable[Request, Response], request: Request) -> Response:
        try:
            return await method(request, timeout=CALL_SECONDS_MAX, metadata=self._metadata)
        except grpc.aio.AioRpcError as exc:
            for key, value in exc.trailing_metadata() or ():
                if key == STATUS_METADATA and isinstance(value, bytes) and (error := read_status_bytes(value)):
                    raise error from exc
            raise
