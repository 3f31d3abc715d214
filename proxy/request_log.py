"""Rows of the request log on their way to the database: off the request path, in batches, bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from types import TracebackType
from typing import Self

import asyncpg
import structlog
from prometheus_client import Counter
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from proxy.bursts import Bursts
from proxy.config import ProxySettings
from proxy.records.request_logs import RequestLogRow
from proxy.records.write import insert_request_logs

WRITE_SECONDS_MAX = 10.0
"""One batch; a slower database is treated as away."""
STOP_SECONDS_MAX = 5.0
"""What is not written by then is lost with the process."""
PAUSE_SECONDS_MAX = 10.0
"""Between two tries while the database is away."""
DATABASE_ERRORS = (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)

log = structlog.get_logger(__name__)

dropped_rows = Counter("proxy_request_log_dropped_rows", "Request-log rows that were never written.")


class RequestLogWriter:
    """Takes rows at any time and writes them soon. `async with` flushes, bounded, at the end."""

    def __init__(self, engine: AsyncEngine, settings: ProxySettings) -> None:
        self._engine = engine
        self._rows_max = settings.request_log_rows_max
        self._batch_rows = settings.request_log_batch_rows
        self._flush_seconds = settings.request_log_flush_seconds
        self._bursts = Bursts(
            refusals_per_second_max=settings.request_log_refusals_per_second_max,
            addresses_max=settings.request_log_addresses_max,
        )
        self._rows: dict[str, RequestLogRow] = {}
        """What waits, by id, oldest first: a row whose count has grown takes its own place."""
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="write the request log")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopping.set()
        if self._task is not None:
            await asyncio.wait((self._task,), timeout=STOP_SECONDS_MAX)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._drop(len(self._rows), "the process ends")

    def note(self, row: RequestLogRow) -> None:
        """Write the row soon, or count it in another; where too many wait, it is dropped, and that is counted."""
        row = self._bursts.joined(row)
        if len(self._rows) < self._rows_max or row.request_log_id in self._rows:
            self._rows[row.request_log_id] = row
        else:
            self._drop(1, "too many rows wait")

    async def _run(self) -> None:
        """Write what has come until told to stop, then what is left. A database that is away is tried again."""
        pause = self._flush_seconds
        while not self._stopping.is_set():
            await self._wait(pause)
            pause = self._flush_seconds if await self._try_write() else min(PAUSE_SECONDS_MAX, 2 * pause)
        while self._rows:
            if not await self._try_write():
                await asyncio.sleep(self._flush_seconds)

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    async def _try_write(self) -> bool:
        """Whether all that waits was written, or dropped for its own fault."""
        try:
            while batch := list(islice(self._rows.values(), self._batch_rows)):
                await self._write_batch(batch)
                for row in batch:
                    # A count that grew meanwhile is written by the next batch.
                    if self._rows[row.request_log_id] is row:
                        del self._rows[row.request_log_id]
        except DATABASE_ERRORS as exc:
            log.warning("request log not written", rows=len(self._rows), error=type(exc).__name__)
            return False
        return True

    async def _write_batch(self, batch: Sequence[RequestLogRow]) -> None:
        """A row that cannot be written must not keep the others out. Raises what says that the database is away."""
        try:
            await self._write(batch)
        except Exception as exc:
            if _is_outage(exc):
                raise
            if len(batch) > 1:
                for row in batch:
                    await self._write_batch([row])
            else:
                log.error("request-log row unusable", request_id=batch[0].request_id, error=type(exc).__name__)  # noqa: TRY400
                self._drop(1, "it cannot be written")

    async def _write(self, rows: Sequence[RequestLogRow]) -> None:
        async with asyncio.timeout(WRITE_SECONDS_MAX), self._engine.begin() as connection:
            await insert_request_logs(connection, rows)

    def _drop(self, count: int, reason: str) -> None:
        if count:
            dropped_rows.inc(count)
            log.warning("request-log rows dropped", rows=count, reason=reason)


def _is_outage(error: Exception) -> bool:
    """Whether the same rows may be written later; False where their values are at fault."""
    cause = error.orig.__cause__ if isinstance(error, DBAPIError) and error.orig else None
    is_refusal = isinstance(error, DataError | IntegrityError) or isinstance(cause, asyncpg.DataError)
    return isinstance(error, DATABASE_ERRORS) and not is_refusal
