"""Plain stubs, with everything that can be a batch in one: between two items that fail, whatever is asked."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from protos.quota.v1 import quota_pb2 as pb
from quotad.client.types import Grant, Settlement
from quotad.core.operations import Finalize, Release, Reserve
from quotad.errors import InvalidRequest
from tests.quotad.conformance import messages
from tests.quotad.conformance.transport import Operation, Outcome, raised
from tests.quotad.conformance.unary import Unary

WRONG_RESERVE = pb.ReserveRequest(reservation_id="not an id")
WRONG_RELEASE = pb.BatchSettleItem(release=pb.ReleaseRequest(reservation_id="not an id"))


class Batch(Unary):
    """`BatchReserve` and `BatchSettle`; what has no batch is called alone."""

    async def reserve(self, operation: Reserve) -> Grant:
        return raised(await self.together([operation]), Grant)

    async def finalize(self, operation: Finalize) -> Settlement:
        return raised(await self.together([operation]), Settlement)

    async def release(self, operation: Release) -> Settlement:
        return raised(await self.together([operation]), Settlement)

    async def together(self, operations: Sequence[Operation]) -> list[Outcome]:
        """As few messages as keep the order: reserves and settlements have batches of their own."""
        outcomes: list[Outcome] = []
        for are_reserves, group in itertools.groupby(operations, lambda operation: isinstance(operation, Reserve)):
            send = self._reserve if are_reserves else self._settle
            outcomes += await send(list(group))
        return outcomes

    async def _reserve(self, operations: Iterable[Operation]) -> list[Outcome]:
        items = [messages.reserve_request(operation) for operation in operations if isinstance(operation, Reserve)]
        request = pb.BatchReserveRequest(items=[WRONG_RESERVE, *items, WRONG_RESERVE])
        results = (await self.call(self.stub.BatchReserve, request)).results
        return _between([messages.outcome(result) for result in results])

    async def _settle(self, operations: Iterable[Operation]) -> list[Outcome]:
        items = [_settle_item(operation) for operation in operations]
        request = pb.BatchSettleRequest(items=[WRONG_RELEASE, *items, WRONG_RELEASE])
        results = (await self.call(self.stub.BatchSettle, request)).results
        return _between([messages.outcome(result) for result in results])


def _settle_item(operation: Operation) -> pb.BatchSettleItem:
    match operation:
        case Finalize():
            return pb.BatchSettleItem(finalize=messages.finalize_request(operation))
        case Release():
            return pb.BatchSettleItem(release=messages.release_request(operation))
        case Reserve():
            raise TypeError("a reserve settles nothing")


def _between(outcomes: list[Outcome]) -> list[Outcome]:
    first, *asked, last = outcomes
    assert isinstance(first, InvalidRequest)
    assert isinstance(last, InvalidRequest)
    return asked
