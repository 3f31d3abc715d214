"""What the relay asks of a dialect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from proxy.errors import ProxyError
from proxy.metering.events import Event
from proxy.metering.usage import Terminal, Usage

OUTPUT_TOKENS_MAX = 10**9
"""The largest maximum that a request may name."""

Content = Mapping[str, Any]
"""A parsed body, of a request or of an answer."""


class Reading(NamedTuple):
    """What one event of a stream means."""

    shown: bytes
    """What the caller gets of it; empty where nothing."""
    output_bytes: int = 0
    """How much text it adds to the answer, in bytes as escaped in JSON."""
    terminal: Terminal | None = None
    """With it the answer is over, and what it reported is known: to be settled before it is shown."""
    is_held: bool = False
    """It carries the report, and the next event ends the answer: to be shown only with that one."""


class StreamReader(Protocol):
    """Reads one stream; it is told every event once, in order."""

    def read(self, event: Event) -> Reading: ...

    def is_whole(self, event: Event) -> bool:
        """The last of a stream is complete in every way but for its empty line."""
        ...

    def finish(self) -> Terminal | None:
        """After the last event: how the answer ended, where no event was its end but nothing is missing."""
        ...

    @property
    def usage(self) -> Usage | None:
        """What was reported so far; all there is where a stream breaks off."""
        ...


class Dialect(Protocol):
    """One API."""

    @property
    def maximum_fields(self) -> tuple[str, ...]:
        """Where a request names the most output that it wants; the first is the API's preferred one."""
        ...

    @property
    def integer_fields(self) -> Mapping[str, int]:
        """Members of a request that decide on amounts, and the largest value of each."""
        ...

    def choices(self, content: Content) -> int:
        """How many answers the request wants, each up to its maximum."""
        ...

    def report_members(self, content: Content) -> Content:
        """Members that the request lacks for its answer to report usage; empty where it will anyway."""
        ...

    def open_stream(self, content: Content) -> StreamReader:
        """A reader for the stream that answers this request."""
        ...

    def read_whole(self, content: Content) -> Terminal:
        """An answer that is not a stream."""
        ...

    def write_failure(self, error: ProxyError, *, first_sent: bytes, last_sent: bytes) -> bytes:
        """The event that ends a stream with an error of ours, after what was sent of it first and last."""
        ...
