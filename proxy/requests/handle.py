"""What the HTTP side holds of a request: it reads, and it may leave. It owns nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from proxy.errors import InternalError, ProxyError
from proxy.requests.patience import Patience
from proxy.requests.queue import ByteQueue
from proxy.requests.types import ResponseHead
from quotad.client.types import LimitStatus


class RequestHandle:
    """Both ends of one answer: the task writes with `open`, `send` and `end`, the response reads the rest."""

    def __init__(self, queue_bytes_max: int, patience: Patience) -> None:
        self.limits: tuple[LimitStatus, ...] = ()
        """The caller's limits as the grant told them; also where there is an error."""
        self.reservation_id: str | None = None
        """Set once something is held, or served without a hold."""
        self._patience = patience
        self._queue = ByteQueue(queue_bytes_max)
        self._head: ResponseHead | None = None
        self._error: ProxyError | None = None
        self._answered = asyncio.Event()
        self.first_byte_time: datetime | None = None
        self.first_sent = b""
        self.last_sent = b""
        """What an error in the middle of a stream has to go on from."""

    @property
    def is_open(self) -> bool:
        """Something is being relayed: from here on an error can only end the stream."""
        return self._head is not None

    @property
    def status(self) -> int | None:
        """The status that is being relayed."""
        return self._head.status if self._head else None

    @property
    def has_left(self) -> bool:
        return self._patience.has_left

    @property
    def is_stalled(self) -> bool:
        """The caller does not read what was relayed."""
        return self._queue.is_full

    async def head(self) -> ResponseHead:
        """Wait for the first byte; raises the `ProxyError` that came instead."""
        await self._answered.wait()
        if self._head is None:
            raise self._error or InternalError
        return self._head

    async def body(self) -> AsyncIterator[bytes]:
        """The answer's bytes, cut only between events; raises `ProxyError` where a stream cannot be finished."""
        while part := await self._queue.get():
            yield part
        if self._error is not None:
            raise self._error

    def client_left(self) -> None:
        """Nobody reads any more; the task goes on as far as it must."""
        self._queue.abandon()
        self._patience.leave()

    def open(self, head: ResponseHead) -> None:
        """The upstream began to answer."""
        self._head = head
        self.first_byte_time = datetime.now(UTC)
        self._answered.set()

    async def send(self, part: bytes) -> None:
        """Pass bytes on, as fast as they are read."""
        self.first_sent = self.first_sent or part
        self.last_sent = part
        await self._queue.put(part)

    def end(self, error: ProxyError | None = None) -> None:
        """The answer is over, or cannot be given."""
        self._error = error
        self._answered.set()
        self._queue.close()
