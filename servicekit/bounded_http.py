"""uvicorn's HTTP protocol with bounds that it lacks.

Time and bytes until the headers of a request are complete, and time for a caller to take what was answered.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_SECONDS_MAX = 20.0
"""From the connection, or the first byte of a later request, to the end of its headers."""
HEADER_BYTES_MAX = 256 * 1024
"""Many times the 8 KiB that servers commonly take; one read brings up to 64 KiB."""
UNREAD_SECONDS_MAX = 60.0
"""For a caller to take the 64 KiB or so that the server keeps for it; whoever is slower holds what others wait for."""


class BoundedHttpProtocol(HttpToolsProtocol):
    """Closes connections whose headers drip or never end, and those of callers who ask and do not read.

    A running answer is never cut off by what its connection brings.
    """

    _deadline: asyncio.TimerHandle | None = None
    _header_bytes = 0
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_headers()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._deadline is not None:
            self._header_bytes += len(data)
            if self._header_bytes > HEADER_BYTES_MAX:
                self._give_up()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._await_headers()

    def on_headers_complete(self) -> None:
        self._stop_waiting()
        super().on_headers_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self.loop.call_later(UNREAD_SECONDS_MAX, self.transport.abort)

    def resume_writing(self) -> None:
        self._stop_unread()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self._stop_unread()
        super().connection_lost(exc)

    def _await_headers(self) -> None:
        if self._deadline is None:
            self._header_bytes = 0
            self._deadline = self.loop.call_later(HEADER_SECONDS_MAX, self._give_up)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _stop_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _give_up(self) -> None:
        self._stop_waiting()
        if self.cycle is not None and not self.cycle.response_complete:
            # A pipelined request waits for the answer before it, and so may its headers.
            self._await_headers()
        elif not self.transport.is_closing():
            self.transport.close()
