"""A TCP relay between a caller and a server that loses, delays and cuts what it carries when told to.

It runs in a thread of its own, so that it outlives the event loop of a test and works for real processes.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PIECE_BYTES = 65536
START_SECONDS_MAX = 10.0


class Relay:
    """Carries both ways unless told otherwise. `target` is `host:port` or the path of a Unix socket."""

    def __init__(self, target: str | Path) -> None:
        self.port = 0
        self.delay_seconds = 0.0
        """How late each piece is passed on."""
        self.is_swallowing = False
        """What the server sends is lost: it did what it was asked to, and nobody learns of it."""
        self.swallowed_bytes = 0
        self.is_refusing = False
        """Connections that begin are closed at once."""
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def swallow_replies(self) -> None:
        self.swallowed_bytes = 0
        self.is_swallowing = True

    def cut(self) -> None:
        """Reset every connection; a stream of which something was swallowed cannot go on. Later ones are carried."""
        self.is_swallowing = False
        asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result(START_SECONDS_MAX)

    @contextmanager
    def running(self) -> Iterator[Relay]:
        started = threading.Event()
        thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        thread.start()
        try:
            assert started.wait(START_SECONDS_MAX)
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()
            self._loop.close()

    def _run(self, started: threading.Event) -> None:
        server = self._loop.run_until_complete(asyncio.start_server(self._carry, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(self._end())

    async def _end(self) -> None:
        await self._cut()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _cut(self) -> None:
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def _carry(self, from_caller: asyncio.StreamReader, to_caller: asyncio.StreamWriter) -> None:
        if self.is_refusing:
            to_caller.transport.abort()
            return
        try:
            from_server, to_server = await self._connect()
        except OSError:
            to_caller.transport.abort()
            return
        pair = {to_caller, to_server}
        self._writers |= pair
        try:
            await asyncio.gather(
                self._pass_on(from_caller, to_server, is_reply=False),
                self._pass_on(from_server, to_caller, is_reply=True),
            )
        finally:
            self._writers -= pair
            for writer in pair:
                writer.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._target, Path):
            return await asyncio.open_unix_connection(self._target)
        host, _, port = self._target.rpartition(":")
        return await asyncio.open_connection(host, int(port))

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_reply: bool) -> None:
        with suppress(OSError, asyncio.CancelledError):  # at the end of the relay its tasks end quietly
            while piece := await reader.read(PIECE_BYTES):
                if self.delay_seconds:
                    await asyncio.sleep(self.delay_seconds)
                if is_reply and self.is_swallowing:
                    self.swallowed_bytes += len(piece)
                    continue
                writer.write(piece)
                await writer.drain()
        writer.transport.abort()
