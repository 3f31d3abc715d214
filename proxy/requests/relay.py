"""Passing one answer on, byte for byte but for what its dialect hides, and reading its usage on the way.

The event that carries the report is held back until the report is settled, so that a caller who has seen the end of
a stream finds it charged. Nothing is passed on of an event that is not complete.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime

from proxy.config import ProxySettings
from proxy.dialects import Dialect, Reading, StreamReader
from proxy.errors import StreamIncomplete, UpstreamError, UpstreamFailed, UpstreamTimeout
from proxy.metering.events import Event, EventScanner, EventTooLarge
from proxy.metering.usage import Terminal, Usage, read_object
from proxy.requests.handle import RequestHandle
from proxy.requests.outcomes import AttemptOutcome, Done, Failed, Retry, RetryReason
from proxy.requests.patience import Patience
from proxy.requests.types import ProxyRequest, ResponseHead
from proxy.requests.verdicts import judge_failed_event
from proxy.settlement.decision import Ending, Evidence
from proxy.upstream import UpstreamAnswer

STREAM = "text/event-stream"
JSON_SUFFIXES = ("/json", "+json")
TAIL_SECONDS_MAX = 1.0
"""After the event that ends a stream, an upstream should close it at once; nothing that matters comes any more."""


@dataclass(frozen=True, slots=True)
class Sink:
    """Where an answer goes, and what is learnt from it."""

    handle: RequestHandle
    evidence: Evidence
    patience: Patience
    settle: Callable[[], Awaitable[None]]
    """Ends the hold by the evidence so far, and waits, bounded, until that is acknowledged."""

    def begin(self) -> None:
        """Something of an answer came: it may have been billed, and the caller may not leave for free."""
        self.evidence.has_begun = True
        self.patience.begin()

    def report(self, usage: Usage | None) -> None:
        if usage is not None:
            self.evidence.reports.append(usage)


async def relay(answer: UpstreamAnswer, sink: Sink, request: ProxyRequest, settings: ProxySettings) -> AttemptOutcome:
    """Pass a success on; what is no answer of the API is not one."""
    dialect = request.endpoint.dialect
    if answer.header("content-encoding").lower() in ("", "identity"):
        if answer.media_type == STREAM:
            reader = dialect.open_stream(request.content)
            return await _StreamRelay(answer, sink, reader, settings.event_bytes_max).run()
        if answer.media_type.endswith(JSON_SUFFIXES):
            return await _relay_whole(answer, sink, dialect, settings.answer_bytes_max)
    return Retry(RetryReason.NOT_THE_API, UpstreamFailed("The upstream's answer is not the API's."), answer.status)


class _StreamRelay:
    """One stream of events."""

    def __init__(self, answer: UpstreamAnswer, sink: Sink, reader: StreamReader, event_bytes_max: int) -> None:
        self._answer = answer
        self._sink = sink
        self._reader = reader
        self._scanner = EventScanner(event_bytes_max)
        self._waiting: list[bytes] = []
        """Events that may be passed on with the next ones; comments before the first event, too."""
        self._is_holding = False
        """What waits carries the report, which is not settled yet."""
        self._tail_end: float | None = None
        """On the loop's clock; until then the end of the stream is waited for, where only that is left to come."""
        self._terminal: Terminal | None = None

    async def run(self) -> AttemptOutcome:
        try:
            retry = await self._relay_events()
        except asyncio.CancelledError:
            # The report has come: it counts, whoever cuts us off before it is settled.
            if self._is_holding:
                self._sink.report(self._reader.usage)
            raise
        except EventTooLarge:
            if self._is_holding:
                return await self._end(StreamIncomplete())
            self._sink.evidence.ending = Ending.CUT
            return Failed(UpstreamFailed("The upstream sent an event that is too large."), self._answer.status)
        except UpstreamError as error:
            return await self._end(error)
        return retry or await self._end(StreamIncomplete())

    async def _relay_events(self) -> Retry | None:
        """To the end of the stream; a `Retry` where it begins with a failure that another account may not have."""
        tail = asyncio.timeout(None)
        try:
            async with tail, aclosing(self._answer.chunks()) as chunks:
                async for chunk in chunks:
                    self._sink.patience.read(len(chunk))
                    # Settling and passing on have bounds of their own.
                    tail.reschedule(None)
                    for event in self._scanner.feed(chunk):
                        retry = await self._relay_event(event)
                        if retry is not None:
                            return retry
                    await self._flush()
                    tail.reschedule(self._tail_end)
        except TimeoutError:
            if not tail.expired():
                raise
        return None

    async def _relay_event(self, event: Event) -> Retry | None:
        reading = self._reader.read(event)
        terminal = reading.terminal
        if not self._sink.evidence.has_begun and event.data:
            retry = judge_failed_event(terminal, datetime.now(UTC)) if terminal else None
            if terminal is not None and retry is not None:
                self._sink.report(terminal.usage)
                return retry
            self._begin()
        await self._pass_on(reading)
        return None

    async def _pass_on(self, reading: Reading) -> None:
        self._sink.evidence.output_bytes += reading.output_bytes
        if reading.is_held and not self._is_holding:
            await self._flush()
            self._is_holding = True
            self._begin_tail()
        if reading.terminal is not None:
            await self._relay_terminal(reading.terminal)
        if reading.shown:
            self._waiting.append(reading.shown)

    async def _relay_terminal(self, terminal: Terminal) -> None:
        """Settle what is reported; what carried the report goes on after that."""
        if self._terminal is not None:
            return
        await self._flush()
        self._terminal = terminal
        self._sink.report(terminal.usage)
        self._is_holding = False
        await self._sink.settle()
        self._begin_tail()

    def _begin_tail(self) -> None:
        self._tail_end = asyncio.get_running_loop().time() + TAIL_SECONDS_MAX

    def _begin(self) -> None:
        self._sink.begin()
        self._sink.handle.open(ResponseHead(self._answer.status, self._answer.headers))

    async def _flush(self) -> None:
        if self._waiting and self._sink.handle.is_open and not self._is_holding:
            await self._sink.handle.send(b"".join(self._waiting))
            self._waiting.clear()

    async def _end(self, error: UpstreamError) -> AttemptOutcome:
        """The upstream has ended or broken off the stream, which may yet hold a report."""
        await self._read_rest()
        terminal = self._reader.finish()
        if terminal is not None:
            await self._relay_terminal(terminal)
        elif self._terminal is None:
            self._sink.report(self._reader.usage)
        await self._flush()
        if self._terminal is not None:
            return Done(self._answer.status, self._terminal)
        if self._sink.evidence.has_begun:
            # However it broke, a caller sees the same thing; only silence is told apart.
            return Failed(error if isinstance(error, UpstreamTimeout) else StreamIncomplete(), self._answer.status)
        return Retry(RetryReason.UNREACHABLE, error, self._answer.status)

    async def _read_rest(self) -> None:
        """A last event whose empty line never came counts if it is whole in every other way."""
        event = self._scanner.finish()
        if event is None or self._terminal is not None or not self._reader.is_whole(event):
            return
        reading = self._reader.read(event)
        if self._sink.evidence.has_begun or reading.terminal is not None or reading.is_held:
            if not self._sink.evidence.has_begun:
                self._begin()
            await self._pass_on(reading._replace(shown=reading.shown and reading.shown + b"\n\n"))


async def _relay_whole(answer: UpstreamAnswer, sink: Sink, dialect: Dialect, bytes_max: int) -> AttemptOutcome:
    """An answer that is one JSON object: nothing of it is passed on before all of it came and is settled."""
    body = bytearray()
    try:
        async with aclosing(answer.chunks()) as chunks:
            async for chunk in chunks:
                sink.begin()
                sink.patience.read(len(chunk))
                body += chunk
                if len(body) > bytes_max:
                    sink.evidence.ending = Ending.CUT
                    return Failed(UpstreamFailed("The upstream's answer is too large."), answer.status)
    except UpstreamError as error:
        return Failed(error, answer.status) if body else Retry(RetryReason.UNREACHABLE, error, answer.status)
    if not body:
        return Retry(RetryReason.NOT_THE_API, UpstreamFailed("The upstream's answer is empty."), answer.status)
    content = read_object(bytes(body))
    if content is None:
        return Failed(UpstreamFailed("The upstream's answer is not JSON."), answer.status)
    terminal = dialect.read_whole(content)
    sink.report(terminal.usage)
    await sink.settle()
    sink.handle.open(ResponseHead(answer.status, answer.headers))
    await sink.handle.send(bytes(body))
    return Done(answer.status, terminal)
