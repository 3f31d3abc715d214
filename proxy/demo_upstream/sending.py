"""Sending a script over the connection, down to leaving it as the script says."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Mapping

from aiohttp import web

from proxy.demo_upstream.book import Book, Entry
from proxy.demo_upstream.scripts import Ending, Script

HANG_SECONDS_MAX = 600.0
"""Longest silence of a `hang`: longer than any client's idle time-out, short enough not to pile up."""


async def send(
    request: web.Request, script: Script, headers: Mapping[str, str], *, pause_seconds: float, entry: Entry, book: Book
) -> web.StreamResponse:
    """Play the script; the entry ends up with what the client was really sent."""
    response = _head(script, headers)
    try:
        if not script.is_silent:
            entry.status = response.status
            await response.prepare(request)
            await _send_frames(response, script, pause_seconds)
            await _send_terminal(response, script, entry, book)
        entry.outcome = script.outcome
        await _leave(request, response, script.ending)
    except (ConnectionError, asyncio.CancelledError):
        if entry.outcome == "started":
            entry.outcome = "client_left"
        raise
    return response


def _head(script: Script, headers: Mapping[str, str]) -> web.StreamResponse:
    if script.content_length is None:
        stream = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
        return web.StreamResponse(headers={**headers, **stream})
    response = web.StreamResponse(headers={**headers, "content-type": "application/json"})
    response.content_length = script.content_length
    return response


async def _send_frames(response: web.StreamResponse, script: Script, pause_seconds: float) -> None:
    for frame in script.frames:
        if pause_seconds:
            await asyncio.sleep(pause_seconds)
        await response.write(frame)


async def _send_terminal(response: web.StreamResponse, script: Script, entry: Entry, book: Book) -> None:
    if not script.terminal:
        return
    book.report(entry, script.usage)
    try:
        await response.write(script.terminal)
    except ConnectionError:
        book.retract(entry)
        raise


async def _leave(request: web.Request, response: web.StreamResponse, ending: Ending) -> None:
    match ending:
        case Ending.END:
            await response.write_eof()
        case Ending.HANG:
            await asyncio.sleep(HANG_SECONDS_MAX)
        case Ending.CUT:
            _close(request)
        case Ending.RESET:
            _reset(request)


def _close(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.close()
    raise ConnectionResetError("closed on command")


def _reset(request: web.Request) -> None:
    """Drop the connection with a TCP reset: with no lingering, closing a socket sends RST instead of FIN."""
    if request.transport is not None:
        connection: socket.socket = request.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
    raise ConnectionResetError("reset on command")
