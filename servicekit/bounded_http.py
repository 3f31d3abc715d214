"""uvicorn's HTTP protocol with two bounds that it lacks: time and bytes until the headers of a request are complete."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_SECONDS_MAX = 20.0
"""From the connection, or the first byte of a later request, to the end of its headers."""
HEADER_BYTES_MAX = 256 * 1024
"""Many times the 8 KiB that servers commonly take; one read brings up to 64 KiB."""


class BoundedHttpProtocol(HttpToolsProtocol):
    """Closes connections whose headers drip or never end; a running answer is never cut off by that."""

    _deadline: asyncio.TimerHandle | None = None
    _header_bytes = 0

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

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _await_headers(self) -> None:
        if self._deadline is None:
            self._header_bytes = 0
            self._deadline = self.loop.call_later(HEADER_SECONDS_MAX, self._give_up)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._stop_waiting()
        if self.cycle is not None and not self.cycle.response_complete:
            # A pipelined request waits for the answer before it, and so may its headers.
            self._await_headers()
        elif not self.transport.is_closing():
            self.transport.close()
