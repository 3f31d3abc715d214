"""Calls of many tasks as operations of few messages: one `Exchange` stream to each daemon.

Whatever is asked while a message is under way goes into the next one. An operation is bounded by its own time-out; when
a stream breaks, its unanswered operations have an unknown outcome and are sent again with the same ids.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar
from zlib import crc32

import grpc

from quotad.client.channel import Metadata, Stubs, definite
from quotad.client.messages import REQUEST_BYTES_MAX
from quotad.client.stream import Answered, Stream
from quotad.client.types import OutcomeUnknown
from quotad.wire.errors import read_error
from quotad.wire.scalars import Malformed

Value = TypeVar("Value")


class Coalescer:
    """One stream to each of some daemons. Make it in the event loop that uses it."""

    def __init__(self, daemons: Sequence[Stubs], authorization: Metadata) -> None:
        self._streams = [Stream(daemon, authorization) for daemon in daemons]
        self._turns = itertools.count()

    def can_carry(self, request: Any) -> bool:
        """Whether the request fits into a message: one that does not travels alone, and is refused alone."""
        return bool(request.ByteSize() <= REQUEST_BYTES_MAX)

    def asker(
        self, kind: str, request: Any, read: Callable[[Any], Value], reservation_id: str
    ) -> Callable[[float], Awaitable[Value]]:
        """A function that asks one daemon within some seconds, and each time it is called another one.

        It raises the ledger's own `QuotaError`, or `OutcomeUnknown`.
        """
        turns = itertools.count(crc32(reservation_id.encode()) if reservation_id else next(self._turns))

        async def ask(seconds: float) -> Value:
            return _value(kind, await self._pick(next(turns)).ask(kind, request, seconds), read)

        return ask

    async def close(self) -> None:
        for stream in self._streams:
            await stream.close()

    def _pick(self, turn: int) -> Stream:
        """Whose turn it is, or the next one whose daemon is not away."""
        now = asyncio.get_running_loop().time()
        count = len(self._streams)
        in_order = (self._streams[(turn + step) % count] for step in range(count))
        return next((stream for stream in in_order if not stream.is_away(now)), self._streams[turn % count])


def _value(kind: str, answered: Answered, read: Callable[[Any], Value]) -> Value:
    result = answered.result
    try:
        if not result.HasField("error"):
            return read(getattr(result, kind))
        error = read_error(result.error)
    except Malformed as exc:
        raise OutcomeUnknown(grpc.StatusCode.INTERNAL, f"the answer of quotad cannot be read: {exc}") from exc
    if error is None:
        raise OutcomeUnknown(grpc.StatusCode.INTERNAL, f"no answer of the ledger: {result.error.message}")
    raise definite(error) from answered.doubt
