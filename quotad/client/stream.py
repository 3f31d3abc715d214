"""One `Exchange` stream to one daemon, opened when something is asked and again after it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc
import grpc.aio

from protos.quota.v1 import quota_pb2 as pb
from quotad.client.channel import Metadata, Stubs, failure
from quotad.client.messages import Asked, UnderWay, Waiting
from quotad.client.types import ClientClosed, OutcomeUnknown
from quotad.errors import CallerNotAllowed, CallerUnauthenticated

CHECK_SECONDS = 0.1
"""How often a stream looks for what is late or slow."""
AWAY_SECONDS = 1.0
"""How long a daemon whose stream broke is passed over where there are others; then one operation tries it."""

ExchangeCall: TypeAlias = "grpc.aio.StreamStreamCall[pb.ExchangeRequest, pb.ExchangeResponse]"


@dataclass(frozen=True, slots=True)
class Answered:
    """What a daemon answered, and what became unknown before: a stream that broke may have carried the same request."""

    result: pb.ExchangeResult
    doubt: Exception | None


class Stream:
    """Asks one daemon, in as few messages as its pace allows. Make it in the event loop that uses it."""

    def __init__(self, daemon: Stubs, authorization: Metadata) -> None:
        self._daemon = daemon
        self._authorization = authorization
        self._waiting = Waiting(daemon.address)
        self._turn = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._away_until = 0.0
        self._is_closed = False

    def is_away(self, now: float) -> bool:
        """Whether the daemon has not answered lately, so that another one is asked rather."""
        return now < self._away_until

    async def ask(self, kind: str, request: Any, seconds: float) -> Answered:
        """Raises `OutcomeUnknown` where no answer comes, or why this caller is refused."""
        if self._is_closed:
            raise ClientClosed(self._daemon.address)
        loop = asyncio.get_running_loop()
        now = loop.time()
        asked = Asked(kind, request, request.ByteSize(), loop.create_future(), now + seconds)
        if self._away_until > 0:
            self._away_until = now + AWAY_SECONDS  # this one tries whether it is back
        self._waiting.add(asked)
        self._turn.set()
        if self._running is None or self._running.done():
            name = f"exchange {self._daemon.address}"
            self._running = loop.create_task(self._run(), name=name, context=Context())  # outlives who asks first
        return Answered(await asked.answer, asked.doubt)

    async def close(self) -> None:
        """What is under way has an unknown outcome."""
        self._is_closed = True
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])

    async def _run(self) -> None:
        """One stream after another, as long as each has answered and something waits."""
        try:
            while self._waiting and await self._exchange():
                pass
        finally:
            self._give_up(self._waiting.take_all(), None)

    async def _exchange(self) -> bool:
        """One stream, until it ends or falls silent. Whether the next one may be opened at once, to ask the rest again.

        A stream that has answered ends when its time is over, or with its daemon, which the next one then finds away.
        """
        call = self._daemon.quota.Exchange(metadata=self._authorization)
        under_way = UnderWay()
        ended: grpc.aio.AioRpcError | None = None
        try:
            async with asyncio.TaskGroup() as parts:
                writing = parts.create_task(self._write(call, under_way))
                watching = parts.create_task(self._watch(under_way))
                reading = parts.create_task(self._read(call, under_way))
                await asyncio.wait([reading, watching], return_when=asyncio.FIRST_COMPLETED)
                for part in (writing, watching, reading):
                    part.cancel()
            ended = None if reading.cancelled() else reading.result()
        finally:
            call.cancel()
            goes_on = under_way.was_heard and ended is not None
            if goes_on:
                self._waiting.add_again(under_way.all(), self._unanswered(ended))
            else:
                self._away_until = asyncio.get_running_loop().time() + AWAY_SECONDS
                self._give_up([*under_way.all(), *self._waiting.take_all()], ended)
        return goes_on

    def _give_up(self, unanswered: Sequence[Asked], ended: grpc.aio.AioRpcError | None) -> None:
        for asked in unanswered:
            asked.give_up(self._unanswered(ended))

    def _unanswered(self, ended: grpc.aio.AioRpcError | None) -> Exception:
        """What the end of a stream says about an operation: something definite only where it refuses the caller."""
        address = self._daemon.address
        if self._is_closed:
            return ClientClosed(address)
        if ended is None:
            return OutcomeUnknown(grpc.StatusCode.UNAVAILABLE, f"no answer from quotad at {address}")
        known = failure(ended, address)
        if isinstance(known, CallerUnauthenticated | CallerNotAllowed):
            return known  # what was accepted before had its answer first
        if ended.code() is grpc.StatusCode.UNIMPLEMENTED:
            return known
        return OutcomeUnknown(grpc.StatusCode.UNAVAILABLE, f"no answer from quotad at {address}: {ended.details()}")

    async def _write(self, call: ExchangeCall, under_way: UnderWay) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._turn.wait()
            self._turn.clear()
            while self._waiting and under_way.has_room(now := loop.time()):
                if batch := self._waiting.next_batch(now):
                    number = under_way.add(batch, now)
                    operations = [asked.operation(now) for asked in batch]
                    try:
                        await call.write(pb.ExchangeRequest(message_number=number, operations=operations))
                    except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
                        return  # the reader hears how the stream ended

    async def _read(self, call: ExchangeCall, under_way: UnderWay) -> grpc.aio.AioRpcError | None:
        """Hand out answers until the stream ends; how it did, where that was not in silence."""
        loop = asyncio.get_running_loop()
        try:
            while isinstance(message := await call.read(), pb.ExchangeResponse):
                self._away_until = 0.0
                _hand_out(under_way.answered(message.message_number, loop.time()), message)
                self._turn.set()
        except grpc.aio.AioRpcError as ended:
            return ended
        return None

    async def _watch(self, under_way: UnderWay) -> None:
        """Give up what is late; returns where a stream has been silent all the while, as a dead one is."""
        loop = asyncio.get_running_loop()
        while not under_way.is_silent(loop.time()):
            await asyncio.sleep(CHECK_SECONDS)
            now = loop.time()
            self._waiting.drop_late(now)
            for asked in under_way.all():
                asked.give_up_if_late(now, self._daemon.address)
            self._turn.set()  # a message that became slow makes room


def _hand_out(batch: list[Asked], message: pb.ExchangeResponse) -> None:
    for asked, result in zip(batch, message.results, strict=False):
        asked.resolve(result)
    for asked in batch[len(message.results) :]:
        asked.give_up(OutcomeUnknown(grpc.StatusCode.INTERNAL, "quotad answered fewer operations than it was asked"))
