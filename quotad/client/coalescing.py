"""Calls of many tasks as operations of few messages: one `Exchange` stream to each daemon.

Whatever is asked while a message is under way goes into the next one. An operation is bounded by its own time-out; when
a stream breaks, its unanswered operations have an unknown outcome and are sent again with the same ids.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeAlias, TypeVar
from zlib import crc32

import grpc
import grpc.aio

from protos.quota.v1 import quota_pb2 as pb
from quotad.client.channel import Metadata, Stubs, definite, failure
from quotad.client.types import OutcomeUnknown
from quotad.errors import CallerNotAllowed, CallerUnauthenticated
from quotad.wire.errors import read_error
from quotad.wire.scalars import Malformed, duration

MESSAGES_MAX = 2
"""Unanswered messages of a stream: while one is being answered the next one gathers."""
OPERATIONS_MAX = 500
"""Of one message; the contract allows 1,000."""
MESSAGE_BYTES_MAX = 1024 * 1024 - 64
OPERATION_BYTES_MORE = 8
"""What surrounds an operation inside its message."""
LATE_SECONDS = 0.5
"""How much longer than an operation's time-out its answer may be on its way."""
CHECK_SECONDS = 0.25

ExchangeCall: TypeAlias = "grpc.aio.StreamStreamCall[pb.ExchangeRequest, pb.ExchangeResponse]"

Value = TypeVar("Value")


@dataclass(slots=True)
class Asked:
    """An operation, who waits for its answer, and until when by the event loop's clock."""

    operation: pb.ExchangeOperation
    answer: asyncio.Future[pb.ExchangeResult]
    ends_at: float

    def give_up(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class Coalescer:
    """One stream to each of some daemons. Make it in the event loop that uses it."""

    def __init__(self, daemons: Sequence[Stubs], authorization: Metadata) -> None:
        self._streams = [Stream(daemon, authorization) for daemon in daemons]

    def asker(
        self, kind: str, request: Any, read: Callable[[Any], Value], reservation_id: str
    ) -> Callable[[float], Awaitable[Value]]:
        """A function that asks one daemon within some seconds, and each time it is called another one.

        It raises the ledger's own `QuotaError`, or `OutcomeUnknown`.
        """
        turns = itertools.count(crc32(reservation_id.encode()))

        async def ask(seconds: float) -> Value:
            stream = self._streams[next(turns) % len(self._streams)]
            return _value(kind, await stream.ask(_operation(kind, request, seconds), seconds), read)

        return ask

    async def close(self) -> None:
        for stream in self._streams:
            await stream.close()


class Stream:
    """The stream to one daemon, opened when something is asked and again after it broke."""

    def __init__(self, daemon: Stubs, authorization: Metadata) -> None:
        self._daemon = daemon
        self._authorization = authorization
        self._waiting: list[Asked] = []
        self._turn = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    async def ask(self, operation: pb.ExchangeOperation, seconds: float) -> pb.ExchangeResult:
        """Raises `OutcomeUnknown` where no answer comes."""
        loop = asyncio.get_running_loop()
        asked = Asked(operation, loop.create_future(), loop.time() + seconds + LATE_SECONDS)
        self._waiting.append(asked)
        self._turn.set()
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run(), name=f"exchange {self._daemon.address}")
        return await asked.answer

    async def close(self) -> None:
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running

    async def _run(self) -> None:
        """One stream from its first message to its end; whatever is unanswered then has an unknown outcome."""
        call = self._daemon.quota.Exchange(metadata=self._authorization)
        under_way = UnderWay()
        parts = [
            asyncio.create_task(self._write(call, under_way)),
            asyncio.create_task(self._read(call, under_way)),
            asyncio.create_task(self._watch(under_way)),
        ]
        error: Exception = OutcomeUnknown(
            grpc.StatusCode.UNAVAILABLE, f"no answer from quotad at {self._daemon.address}"
        )
        try:
            ended, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            error = self._meaning(ended.pop().exception()) or error
        finally:
            for part in parts:
                part.cancel()
            call.cancel()
            unanswered = [*under_way.all(), *self._waiting]
            self._waiting = []
            for asked in unanswered:
                asked.give_up(error)

    def _meaning(self, error: BaseException | None) -> Exception | None:
        """What the end of a stream says about what it left unanswered: definite only where it never began."""
        if not isinstance(error, grpc.aio.AioRpcError):
            return None
        known = failure(error, self._daemon.address)
        return known if isinstance(known, CallerUnauthenticated | CallerNotAllowed | OutcomeUnknown) else None

    async def _write(self, call: ExchangeCall, under_way: UnderWay) -> None:
        while True:
            await self._turn.wait()
            self._turn.clear()
            while self._waiting and under_way.has_room:
                if batch := self._next_batch():
                    number = under_way.add(batch)
                    operations = [asked.operation for asked in batch]
                    await call.write(pb.ExchangeRequest(message_number=number, operations=operations))

    def _next_batch(self) -> list[Asked]:
        """What fits into one message, of what is still wanted."""
        batch: list[Asked] = []
        bytes_left = MESSAGE_BYTES_MAX
        for place, asked in enumerate(self._waiting):
            bytes_left -= asked.operation.ByteSize() + OPERATION_BYTES_MORE
            if len(batch) == OPERATIONS_MAX or (batch and bytes_left < 0):
                del self._waiting[:place]
                return batch
            if not asked.answer.done():
                batch.append(asked)
        self._waiting = []
        return batch

    async def _read(self, call: ExchangeCall, under_way: UnderWay) -> None:
        while True:
            message = await call.read()
            if not isinstance(message, pb.ExchangeResponse):
                await call.code()  # the end of the stream; awaiting its status raises nothing by itself
                return
            for asked, result in zip(under_way.answered(message.message_number), message.results, strict=False):
                if not asked.answer.done():
                    asked.answer.set_result(result)
            self._turn.set()

    async def _watch(self, under_way: UnderWay) -> None:
        """Give up what is late; returns where a stream has been silent all the while, as a dead one is."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            now = asyncio.get_running_loop().time()
            late = [asked for asked in [*under_way.all(), *self._waiting] if asked.ends_at < now]
            for asked in late:
                why = f"no answer from quotad at {self._daemon.address}"
                asked.give_up(OutcomeUnknown(grpc.StatusCode.DEADLINE_EXCEEDED, why))
            if under_way.is_silent(now):
                return


class UnderWay:
    """The messages of one stream that have no answer yet."""

    def __init__(self) -> None:
        self._messages: dict[int, list[Asked]] = {}
        self._count = 0
        self._heard_at = 0.0

    @property
    def has_room(self) -> bool:
        return len(self._messages) < MESSAGES_MAX

    def add(self, batch: list[Asked]) -> int:
        """The number of a new message."""
        self._count += 1
        self._messages[self._count] = batch
        return self._count

    def answered(self, number: int) -> list[Asked]:
        self._heard_at = asyncio.get_running_loop().time()
        return self._messages.pop(number, [])

    def all(self) -> list[Asked]:
        return [asked for batch in self._messages.values() for asked in batch]

    def is_silent(self, now: float) -> bool:
        """Whether a message is late, and nothing came since long before it was."""
        return any(
            all(asked.ends_at < now for asked in batch) and self._heard_at < now - CHECK_SECONDS * 4
            for batch in self._messages.values()
        )


def _operation(kind: str, request: Any, seconds: float) -> pb.ExchangeOperation:
    return pb.ExchangeOperation(timeout=duration(timedelta(seconds=seconds)), **{kind: request})


def _value(kind: str, result: pb.ExchangeResult, read: Callable[[Any], Value]) -> Value:
    try:
        if not result.HasField("error"):
            return read(getattr(result, kind))
        error = read_error(result.error)
    except Malformed as exc:
        raise OutcomeUnknown(grpc.StatusCode.INTERNAL, f"the answer of quotad cannot be read: {exc}") from exc
    if error is None:
        raise OutcomeUnknown(grpc.StatusCode.INTERNAL, f"no answer of the ledger: {result.error.message}")
    raise definite(error)
