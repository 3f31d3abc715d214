"""The streams of operations: reading, answering out of order, and ending without losing an answer."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import grpc.aio

from protos.quota.v1 import quota_pb2 as pb
from quotad.errors import InvalidRequest, Overloaded, QuotaError
from quotad.server.answering import Answering
from quotad.server.interceptors import CALLER
from quotad.server.items import check_count, exchange
from quotad.server.tokens import TokenBook

Context = grpc.aio.ServicerContext[Any, Any]

UNANSWERED_MAX = 64
"""Messages of one stream under way; beyond that nothing more is read, and gRPC's flow control holds the caller."""
MESSAGE_BYTES_MAX = 1024 * 1024


class Exchanges:
    """The open streams of one daemon."""

    def __init__(self, answering: Answering, tokens: TokenBook, stream_seconds_max: float) -> None:
        self._answering = answering
        self._tokens = tokens
        self._stream_seconds_max = stream_seconds_max
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Read nothing more; every stream ends once it has answered what it accepted."""
        self._stopping.set()

    async def serve(self, context: Context) -> None:
        """One stream, until its caller ends it. Raises `QuotaError` where it ends before that."""
        stream = _Stream(self._answering, context)
        try:
            async with asyncio.TaskGroup() as answers:
                ended = await self._read_all(stream, answers)
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed
        if ended is not None:
            raise ended

    async def _read_all(self, stream: _Stream, answers: asyncio.TaskGroup) -> QuotaError | None:
        """Start an answer for each message; why the stream ends, or None where its caller ended it."""
        stopping = asyncio.create_task(self._stopping.wait())
        ends_at = asyncio.get_running_loop().time() + self._stream_seconds_max
        try:
            while True:
                await stream.has_room()
                reading = asyncio.create_task(stream.read())
                left = ends_at - asyncio.get_running_loop().time()
                await asyncio.wait((reading, stopping), timeout=left, return_when=asyncio.FIRST_COMPLETED)
                if not reading.done():
                    reading.cancel()
                    return Overloaded("the stream has ended: open another one")
                message = reading.result()
                if message is None:
                    return None
                self._tokens.require_active(CALLER.get())
                stream.accept(message)
                answers.create_task(stream.answer(message))
        except QuotaError as wrong:
            return wrong
        finally:
            stopping.cancel()


class _Stream:
    """One caller's messages under way."""

    def __init__(self, answering: Answering, context: Context) -> None:
        self._answering = answering
        self._context = context
        self._unanswered: set[int] = set()
        self._room = asyncio.Semaphore(UNANSWERED_MAX)
        self._writing = asyncio.Lock()

    async def has_room(self) -> None:
        await self._room.acquire()

    async def read(self) -> pb.ExchangeRequest | None:
        """The next message, or None at the end. Raises `InvalidRequest` for one that cannot be read."""
        message = await self._context.read()
        if message is grpc.aio.EOF:
            return None
        if not isinstance(message, pb.ExchangeRequest):
            raise InvalidRequest("", "the request is not a message of this call")
        return message

    def accept(self, message: pb.ExchangeRequest) -> None:
        """Raises `InvalidRequest` for a message that cannot be answered."""
        check_count("operations", message.operations)
        if message.ByteSize() > MESSAGE_BYTES_MAX:
            raise InvalidRequest("operations", f"a message has at most {MESSAGE_BYTES_MAX} bytes")
        if message.message_number in self._unanswered:
            raise InvalidRequest("message_number", "this number is still unanswered")
        self._unanswered.add(message.message_number)

    async def answer(self, message: pb.ExchangeRequest) -> None:
        answer = await exchange(self._answering, message)
        async with self._writing:
            with suppress(grpc.aio.InternalError):  # the caller has left, and asks again if it wants to know
                await self._context.write(answer)
        self._unanswered.discard(message.message_number)
        self._room.release()
