"""Plain stubs, with everything in messages of one stream: behind an operation that fails, whatever is asked."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any

import grpc
import grpc.aio

from protos.quota.v1 import quota_pb2 as pb
from protos.quota.v1 import quota_pb2_grpc as rpc
from quotad.client.types import Checked, Grant, Renewal, Settlement
from quotad.core.operations import Check, Finalize, Release, Renew, Reserve
from quotad.errors import InvalidRequest
from quotad.values import KeyDescription, Reservation, Scope, Subject
from quotad.wire.errors import read_error
from quotad.wire.keys import read_description
from quotad.wire.reservations import read_reservation
from tests.quotad.conformance import messages
from tests.quotad.conformance.transport import Operation, Outcome, raised

ANSWER_SECONDS_MAX = 10.0
WRONG = pb.ExchangeOperation(release=pb.ReleaseRequest(reservation_id="not an id"))


class Exchange:
    """One stream, opened with the first message; answers find their way by the number of their message."""

    def __init__(self, address: str, token: str) -> None:
        self._channel = grpc.aio.insecure_channel(address)
        self._metadata = (("authorization", f"Bearer {token}"),)
        self._numbers = itertools.count(1)
        self._awaited: dict[int, asyncio.Future[pb.ExchangeResponse]] = {}
        self._stream: Any = None
        self._reading: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()

    async def close(self) -> None:
        if self._stream is not None and self._reading is not None:
            await self._stream.done_writing()
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                await self._reading
        await self._channel.close()

    async def reserve(self, operation: Reserve) -> Grant:
        return raised(await self.together([operation]), Grant)

    async def finalize(self, operation: Finalize) -> Settlement:
        return raised(await self.together([operation]), Settlement)

    async def release(self, operation: Release) -> Settlement:
        return raised(await self.together([operation]), Settlement)

    async def renew(self, operation: Renew) -> tuple[Renewal, ...]:
        result = await self._one(pb.ExchangeOperation(renew=messages.renew_request(operation)))
        return messages.renewals(result.renew)

    async def get_reservation(self, scope: Scope, reservation_id: str) -> Reservation:
        request = messages.reservation_request(scope, reservation_id)
        result = await self._one(pb.ExchangeOperation(get_reservation=request))
        return read_reservation(result.get_reservation.reservation)

    async def check(self, operation: Check) -> Checked:
        result = await self._one(pb.ExchangeOperation(check=messages.check_request(operation)))
        return messages.checked(result.check)

    async def describe_key(self, subject: Subject) -> KeyDescription:
        result = await self._one(pb.ExchangeOperation(describe_key=messages.describe_request(subject)))
        return read_description(result.describe_key)

    async def together(self, operations: Sequence[Operation]) -> list[Outcome]:
        results = await self.send([_item(operation) for operation in operations])
        return [messages.outcome(result) for result in results]

    async def send(self, items: Sequence[pb.ExchangeOperation]) -> list[pb.ExchangeResult]:
        """The results of these operations, sent in one message."""
        if self._stream is None:
            self._stream = rpc.QuotaServiceStub(self._channel).Exchange(metadata=self._metadata)
            self._reading = asyncio.create_task(self._read())
        number = next(self._numbers)
        answered = self._awaited[number] = asyncio.get_running_loop().create_future()
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            async with self._writing:
                await self._stream.write(pb.ExchangeRequest(message_number=number, operations=[WRONG, *items]))
            results = list((await answered).results)
        assert isinstance(read_error(results[0].error), InvalidRequest)
        return results[1:]

    async def _one(self, item: pb.ExchangeOperation) -> pb.ExchangeResult:
        (result,) = await self.send([item])
        if result.HasField("error"):
            raise messages.error(result.error)
        return result

    async def _read(self) -> None:
        """Hand out the answers until the stream ends; whoever still waits is told how it ended."""
        try:
            while (answer := await self._stream.read()) is not grpc.aio.EOF:
                self._awaited.pop(answer.message_number).set_result(answer)
        except grpc.aio.AioRpcError as ended:
            for answered in self._awaited.values():
                answered.set_exception(ended)


def _item(operation: Operation) -> pb.ExchangeOperation:
    match operation:
        case Reserve():
            return pb.ExchangeOperation(reserve=messages.reserve_request(operation))
        case Finalize():
            return pb.ExchangeOperation(finalize=messages.finalize_request(operation))
        case Release():
            return pb.ExchangeOperation(release=messages.release_request(operation))
