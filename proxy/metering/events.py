"""Server-sent events, cut out of a byte stream without changing a byte (WHATWG HTML, 9.2.6)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

BOM = b"\xef\xbb\xbf"
LINE_END = rb"(?:\r\n|\n|\r(?!\n))"
EVENT_END = re.compile(LINE_END + LINE_END)
END_BYTES_MAX = 4


class EventTooLarge(Exception):
    """One event is larger than the scanner may hold."""


@dataclass(frozen=True, slots=True)
class Event:
    """One block of a stream. `raw` is what came, its empty line included."""

    raw: bytes
    name: str
    """The `event` field; empty where there is none."""
    data: bytes
    """The `data` lines joined by newlines; empty for a block of comments."""


class EventScanner:
    """Bytes in, whole events out: the raws of all events and `rest` together are exactly what was fed."""

    def __init__(self, event_bytes_max: int) -> None:
        self._event_bytes_max = event_bytes_max
        self._buffer = bytearray()
        self._scanned = 0

    @property
    def rest(self) -> bytes:
        """The beginning of an event that is not complete."""
        return bytes(self._buffer)

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events that end in this chunk; raises `EventTooLarge`. To be read to its end before the next call."""
        self._buffer += chunk
        start = 0
        position = max(0, self._scanned - END_BYTES_MAX)
        try:
            while (end := self._find_end(position)) is not None:
                self._check(end - start)
                position, raw = end, bytes(self._buffer[start:end])
                start = end
                yield read_event(raw)
        finally:
            del self._buffer[:start]
            self._scanned = len(self._buffer)
        self._check(len(self._buffer))

    def finish(self) -> Event | None:
        """At the end of the stream: what an event without its empty line would have been."""
        return read_event(self.rest) if self._buffer else None

    def _find_end(self, position: int) -> int | None:
        match = EVENT_END.search(self._buffer, position)
        if match is None:
            return None
        # A carriage return at the very end may be the first half of a line end.
        is_half = match.end() == len(self._buffer) and self._buffer.endswith(b"\r")
        return None if is_half else match.end()

    def _check(self, size: int) -> None:
        if size > self._event_bytes_max:
            raise EventTooLarge(f"an event is larger than {self._event_bytes_max} bytes")


def read_event(raw: bytes) -> Event:
    """The fields of one block."""
    name = b""
    data: list[bytes] = []
    for line in raw.removeprefix(BOM).splitlines():
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value
    return Event(raw, name.decode(errors="replace"), data[0] if len(data) == 1 else b"\n".join(data))
