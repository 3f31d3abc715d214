"""The bounded bytes between a request's task and the response that sends them."""

from __future__ import annotations

import asyncio


class Bell:
    """Wakes the one task that waits for it. An `asyncio.Event` takes 0.8 KiB, and each stream would have several."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: asyncio.Future[None] | None = None

    async def wait(self) -> None:
        """Until the next ring; whoever waits asks first whether there is anything to wait for."""
        self._waiting = asyncio.get_running_loop().create_future()
        try:
            await self._waiting
        finally:
            self._waiting = None

    def ring(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


class ByteQueue:
    """One writer, one reader. A full queue makes the writer wait; an abandoned one takes all and keeps nothing."""

    __slots__ = ("_abandoned", "_bytes_max", "_closed", "_parts", "_readable", "_size", "_writable")

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._parts: list[bytes] = []
        self._size = 0
        self._closed = False
        self._abandoned = False
        self._readable = Bell()
        self._writable = Bell()

    @property
    def is_full(self) -> bool:
        """The reader does not keep up."""
        return self._size >= self._bytes_max

    async def put(self, part: bytes) -> None:
        """Add bytes as soon as there is room; the queue may pass its bound by one part."""
        while self.is_full:
            await self._writable.wait()
        if self._abandoned or not part:
            return
        self._parts.append(part)
        self._size += len(part)
        self._readable.ring()

    async def get(self) -> bytes:
        """All that waits, at least a byte; empty at the end."""
        while not self._parts and not self._closed:
            await self._readable.wait()
        whole = b"".join(self._parts)
        self._empty()
        return whole

    def close(self) -> None:
        """Nothing more comes."""
        self._closed = True
        self._readable.ring()

    def abandon(self) -> None:
        """Nobody reads any more."""
        self._abandoned = True
        self._empty()

    def _empty(self) -> None:
        self._parts.clear()
        self._size = 0
        self._writable.ring()
