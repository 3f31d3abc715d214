"""The bounded bytes between a request's task and the response that sends them."""

from __future__ import annotations

import asyncio
from collections import deque


class ByteQueue:
    """One writer, one reader. A full queue makes the writer wait; an abandoned one takes all and keeps nothing."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._parts: deque[bytes] = deque()
        self._size = 0
        self._closed = False
        self._abandoned = False
        self._readable = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()

    @property
    def is_full(self) -> bool:
        """The reader does not keep up."""
        return not self._writable.is_set()

    async def put(self, part: bytes) -> None:
        """Add bytes as soon as there is room; the queue may pass its bound by one part."""
        await self._writable.wait()
        if self._abandoned or not part:
            return
        self._parts.append(part)
        self._size += len(part)
        self._readable.set()
        if self._size >= self._bytes_max:
            self._writable.clear()

    async def get(self) -> bytes:
        """All that waits, at least a byte; empty at the end."""
        await self._readable.wait()
        whole = b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        self._writable.set()
        if not self._closed:
            self._readable.clear()
        return whole

    def close(self) -> None:
        """Nothing more comes."""
        self._closed = True
        self._readable.set()

    def abandon(self) -> None:
        """Nobody reads any more."""
        self._abandoned = True
        self._parts.clear()
        self._size = 0
        self._writable.set()
