"""An upstream that answers every request with exactly these bytes, and keeps what it was sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

SSE_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
JSON_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n"


@dataclass(slots=True)
class RawUpstream:
    """Where it is, what it was asked, and how it goes on."""

    parts: Sequence[bytes]
    """What the next requests are answered with."""
    base_url: str = ""
    has_sent: bool = False
    """All parts of an answer have gone out."""
    heads: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    may_end: asyncio.Event = field(default_factory=asyncio.Event)
    """Set: connections are closed after the last part."""

    def headers(self) -> list[tuple[str, str]]:
        """Of the last request."""
        lines = self.heads[-1].decode("latin-1").split("\r\n")[1:]
        pairs = (line.partition(":") for line in lines if line)
        return [(name.lower(), value.strip()) for name, _, value in pairs]


@asynccontextmanager
async def raw_upstream(parts: Sequence[bytes], *, stays_open: bool = False) -> AsyncIterator[RawUpstream]:
    """Send the parts one by one, then close, or only when told to."""
    upstream = RawUpstream(parts)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        upstream.heads.append(head)
        [length] = [int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        upstream.bodies.append(await reader.readexactly(length))
        for part in upstream.parts:
            writer.write(part)
            await writer.drain()
        upstream.has_sent = True
        if stays_open:
            await upstream.may_end.wait()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    upstream.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield upstream
    finally:
        upstream.may_end.set()
        server.close()
        await server.wait_closed()
