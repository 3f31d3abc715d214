"""An upstream on a bare asyncio protocol: it should cost as little as one can, so that what is measured is the proxy.

python -m benchmarks.proxy.upstream PORT
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator
from typing import cast

import uvloop

from benchmarks.proxy.patterns import Api, Pattern, frames, pattern_of

READY = "upstream is ready"
HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\nx-request-id: req_bench\r\n"
    b"openai-version: 2020-10-01\r\ntransfer-encoding: chunked\r\n\r\n"
)
END = b"0\r\n\r\n"
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Answering(asyncio.Protocol):
    """One connection; its requests are answered one after the other, each event by a write of its own."""

    _transport: asyncio.Transport

    def __init__(self) -> None:
        self._received = b""
        self._due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        if self._due is not None:
            self._due.cancel()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, rest = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        length = LENGTH.search(head)
        size = int(length[1]) if length else 0
        if len(rest) < size:
            return
        self._received = rest[size:]
        api = Api.CHAT if b"/chat/completions " in head[:100] else Api.RESPONSES
        self._begin(pattern_of(rest[:size]), api)

    def _begin(self, pattern: Pattern, api: Api) -> None:
        self._transport.write(HEAD)
        chunks = (b"%x\r\n%s\r\n" % (len(frame), frame) for frame in frames(pattern.events, api))
        if pattern.pause_ms:
            self._step(chunks, pattern.pause_ms / 1_000)
            return
        for chunk in chunks:
            self._transport.write(chunk)
        self._transport.write(END)

    def _step(self, chunks: Iterator[bytes], pause: float) -> None:
        chunk = next(chunks, None)
        if chunk is None:
            self._transport.write(END)
            return
        self._transport.write(chunk)
        self._due = asyncio.get_running_loop().call_later(pause, self._step, chunks, pause)


async def serve(port: int) -> None:
    """Until the process is told to end."""
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", port, backlog=4_096)
    print(READY, flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
