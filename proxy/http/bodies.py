"""Reading a request's body under bounds: bytes, time, memory of the whole worker, and what a bomb unfolds to."""

from __future__ import annotations

import asyncio
import io
import zlib
from collections.abc import Callable

import zstandard
from starlette.datastructures import Headers
from starlette.types import Receive

from proxy.errors import BadRequest, BodyTimeout, BodyTooLarge, ServerBusy, UnsupportedEncoding

ENCODINGS = ("gzip", "deflate", "zstd")
READ_BYTES = 1024 * 1024
GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
RAW_DEFLATE = -zlib.MAX_WBITS


class ClientLeft(Exception):
    """The caller closed the connection while its body was being read; nobody waits for an answer."""


class BodyBudget:
    """Counts the bytes of all bodies that the worker holds, so that their sum has a bound."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self.bytes_held = 0

    def open(self) -> BodyShare:
        return BodyShare(self)

    def take(self, count: int) -> None:
        if self.bytes_held + count > self._bytes_max:
            raise ServerBusy
        self.bytes_held += count


class BodyShare:
    """One request's part of the budget; `close` gives it back."""

    def __init__(self, budget: BodyBudget) -> None:
        self._budget = budget
        self._bytes_held = 0

    def take(self, count: int) -> None:
        """Raises `ServerBusy` where the worker holds too much."""
        self._budget.take(count)
        self._bytes_held += count

    def close(self) -> None:
        self._budget.bytes_held -= self._bytes_held
        self._bytes_held = 0


async def read_body(
    receive: Receive, headers: Headers, share: BodyShare, *, bytes_max: int, seconds_max: float, idle_seconds: float
) -> bytes:
    """The decompressed body.

    Raises `BodyTooLarge`, `BodyTimeout`, `UnsupportedEncoding`, `BadRequest` (a broken encoding), `ServerBusy` or
    `ClientLeft`.
    """
    encoding = content_encoding(headers.get("content-encoding", ""))
    try:
        async with asyncio.timeout(seconds_max):
            raw = await _read(receive, share, bytes_max, idle_seconds)
    except TimeoutError as exc:
        raise BodyTimeout("The request body did not arrive in time.") from exc
    if encoding is None:
        return raw
    body = await asyncio.to_thread(decompress, encoding, raw, bytes_max)
    share.take(len(body))
    return body


def content_encoding(value: str) -> str | None:
    """The one encoding of a body, None where there is none; raises `UnsupportedEncoding`."""
    names = [name.strip().lower().removeprefix("x-") for name in value.split(",")]
    given = [name for name in names if name not in ("", "identity")]
    if not given:
        return None
    if len(given) > 1 or given[0] not in ENCODINGS:
        raise UnsupportedEncoding(f"Content-Encoding must be one of {', '.join(ENCODINGS)}.")
    return given[0]


def decompress(encoding: str, raw: bytes, bytes_max: int) -> bytes:
    """The decompressed bytes; a bomb costs at most `bytes_max` before `BodyTooLarge` is raised."""
    unfold: Callable[[bytes, int], bytes] = {"gzip": _inflate, "deflate": _inflate_any, "zstd": _unzstd}[encoding]
    try:
        body = unfold(raw, bytes_max + 1)
    except (zlib.error, zstandard.ZstdError, EOFError) as exc:
        raise BadRequest(f"The body is not valid {encoding}.", code="invalid_content_encoding") from exc
    if len(body) > bytes_max:
        raise BodyTooLarge(bytes_max)
    return body


async def _read(receive: Receive, share: BodyShare, bytes_max: int, idle_seconds: float) -> bytes:
    parts: list[bytes] = []
    size = 0
    more = True
    # A body above the cap is read on, unkept, to twice the cap: an honest caller that only writes then sees the answer.
    while more and size <= 2 * bytes_max:
        async with asyncio.timeout(idle_seconds):
            message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        part: bytes = message.get("body", b"")
        size += len(part)
        if size <= bytes_max:
            share.take(len(part))
            parts.append(part)
        more = message.get("more_body", False)
    if size > bytes_max:
        raise BodyTooLarge(bytes_max)
    return b"".join(parts)


def _inflate(raw: bytes, bytes_max: int, window_bits: int = GZIP_OR_ZLIB) -> bytes:
    inflater = zlib.decompressobj(window_bits)
    body = inflater.decompress(raw, bytes_max)
    if not inflater.eof and len(body) < bytes_max:
        raise EOFError("the stream is cut short")
    if inflater.unused_data:
        raise zlib.error("bytes follow the end of the stream")
    return body


def _inflate_any(raw: bytes, bytes_max: int) -> bytes:
    # RFC 9110, 8.4.1.2: deflate is the zlib format, but some senders leave its wrapper away.
    try:
        return _inflate(raw, bytes_max)
    except zlib.error:
        return _inflate(raw, bytes_max, RAW_DEFLATE)


def _unzstd(raw: bytes, bytes_max: int) -> bytes:
    window_bytes_max = 1 << max(bytes_max, 8 * READ_BYTES).bit_length()
    reader = zstandard.ZstdDecompressor(max_window_size=window_bytes_max).stream_reader(io.BytesIO(raw))
    parts: list[bytes] = []
    size = 0
    while size < bytes_max and (part := reader.read(min(READ_BYTES, bytes_max - size))):
        parts.append(part)
        size += len(part)
    return b"".join(parts)
