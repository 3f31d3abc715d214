"""Settlements on the disk: whatever `put` returned from outlives this process, and is delivered by the next one.

One thread writes; what is asked for meanwhile goes into its next write, so that many settlements share one fsync. A
disk that fails is told (log, metric, readiness), and tried again with the next write.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from prometheus_client import Gauge

from proxy.config import ProxySettings
from proxy.settlement.files import OutboxFiles
from servicekit.journal import Entry

Value = TypeVar("Value")

log = structlog.get_logger(__name__)

outbox_entries = Gauge("proxy_outbox_entries", "Settlements and intents that are open in this worker's outbox.")
outbox_bytes = Gauge("proxy_outbox_bytes", "Bytes in the files of this worker's outbox.")
outbox_usable = Gauge("proxy_outbox_usable", "1 while the outbox can be written, 0 after a write that failed.")


class OutboxUnusable(Exception):
    """It is not on the disk as far as anyone knows; whoever asked still has it."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    entry: Entry
    written: asyncio.Future[None]


class Outbox:
    """One process's outbox. Use it in one event loop; `close` it."""

    def __init__(self, settings: ProxySettings) -> None:
        self._files = OutboxFiles(
            settings.outbox_dir,
            segment_bytes_max=settings.outbox_segment_bytes_max,
            bytes_max=settings.outbox_bytes_max,
        )
        self._write_seconds = settings.outbox_write_seconds
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="outbox")
        self._wanted: list[_Wanted] = []
        self._ended: dict[str, None] = {}
        self._writing: asyncio.Task[None] | None = None
        self.failure: str | None = None
        """Why the last write failed; None while all is well."""

    async def open(self) -> None:
        """Make the directory; a failure is told, and tried again with each write."""
        try:
            await self._run(self._files.open)
        except OutboxUnusable as error:
            self._failed(str(error))

    async def put(self, entry: Entry) -> None:
        """Return when the entry is on the disk; raises `OutboxUnusable`. Its id is to be ended in either case."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ended.pop(entry.entry_id, None)
        self._wanted.append(_Wanted(entry, written))
        self._write_soon()
        done, _ = await asyncio.wait((written,), timeout=self._write_seconds)
        if not done:
            written.cancel()
            raise self._failed(f"nothing was written within {self._write_seconds:g} s")
        await written

    def end(self, entry_id: str) -> None:
        """Mark the entry as done, soon; a mark that a crash prevents costs a repeat."""
        self._ended[entry_id] = None
        self._write_soon()

    def try_again(self) -> None:
        """After a failure, find out whether it is over: the mark of nothing changes nothing."""
        if self.failure is not None:
            self.end("")

    async def adopt(self) -> list[Entry]:
        """Take over what dead processes have left, on the disk first; what cannot be taken stays where it is."""
        with suppress(OutboxUnusable):
            return await self._run(self._files.adopt, is_bounded=False)
        return []

    async def set_aside(self, fields: Mapping[str, Any]) -> bool:
        """Keep something for the operator; returns whether it is on the disk."""
        try:
            await self._run(lambda: self._files.set_aside(fields))
        except OutboxUnusable:
            return False
        return True

    async def count_set_aside(self) -> int:
        """How much waits for the operator, set aside by whatever worker."""
        try:
            return await self._run(self._files.count_set_aside)
        except OutboxUnusable:
            return 0

    async def close(self) -> None:
        """Write what is wanted, bounded, and let go of the directory."""
        if self._writing is not None:
            await asyncio.wait((self._writing,), timeout=self._write_seconds)
        with suppress(OutboxUnusable):
            await self._run(self._files.close)
        self._thread.shutdown(wait=False)

    def _write_soon(self) -> None:
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all(), name="write the outbox")

    async def _write_all(self) -> None:
        """Until nothing is wanted; after a failure, until somebody wants something again."""
        try:
            has_failed = False
            while self._wanted or (self._ended and not has_failed):
                has_failed = not await self._write_batch()
        finally:
            self._writing = None

    async def _write_batch(self) -> bool:
        wanted, self._wanted = self._wanted, []
        ended, self._ended = self._ended, {}
        try:
            await self._run(lambda: self._files.write([one.entry for one in wanted], ended), is_bounded=False)
        except OutboxUnusable as error:
            self._ended = {**ended, **self._ended}
            _answer(wanted, self._failed(str(error)))
            return False
        self._succeeded()
        _answer(wanted, None)
        return True

    async def _run(self, work: Callable[[], Value], *, is_bounded: bool = True) -> Value:
        """Work of the one thread; raises `OutboxUnusable`. A thread that is too slow goes on by itself."""
        running = asyncio.get_running_loop().run_in_executor(self._thread, work)
        done, _ = await asyncio.wait((running,), timeout=self._write_seconds if is_bounded else None)
        if not done:
            running.add_done_callback(_ignore)
            raise OutboxUnusable(f"the disk did not answer within {self._write_seconds:g} s")
        try:
            return await running
        except OSError as exc:
            raise OutboxUnusable(f"{exc.filename or 'the outbox'}: {exc.strerror or exc}") from exc

    def _failed(self, failure: str) -> OutboxUnusable:
        if self.failure is None:
            log.error("outbox unusable", error=failure)
        self.failure = failure
        outbox_usable.set(0)
        return OutboxUnusable(failure)

    def _succeeded(self) -> None:
        if self.failure is not None:
            log.info("outbox usable again")
        self.failure = None
        outbox_usable.set(1)
        outbox_entries.set(self._files.entries)
        outbox_bytes.set(self._files.size)


def _answer(wanted: Sequence[_Wanted], error: OutboxUnusable | None) -> None:
    for one in wanted:
        if one.written.done():
            continue
        if error is None:
            one.written.set_result(None)
        else:
            one.written.set_exception(error)


def _ignore(running: asyncio.Future[Any]) -> None:
    """Nobody waits for the outcome any more."""
    if not running.cancelled():
        running.exception()
