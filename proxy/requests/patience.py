"""How long a request may go on: its own limit while the caller waits, much less once nobody does."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self


class OutOfPatience(Exception):
    """The time is over; whether the caller had left says why."""


class Patience:
    """A deadline around the attempts of one request, which the caller's leaving moves forward (S13).

    Before anything of an answer came, leaving ends the request at once; after that the upstream is read on for
    `drain_seconds`, for its usage report.
    """

    def __init__(self, *, total_seconds: float, drain_seconds: float) -> None:
        self._total_seconds = total_seconds
        self._drain_seconds = drain_seconds
        self._timeout: asyncio.Timeout | None = None
        self.has_left = False
        self.has_begun = False

    def leave(self) -> None:
        """The caller is gone. Repeating it changes nothing."""
        if self.has_left:
            return
        self.has_left = True
        if self._timeout is not None and not self._timeout.expired():
            self._timeout.reschedule(self._deadline())

    async def __aenter__(self) -> Self:
        self._timeout = asyncio.timeout_at(self._deadline())
        await self._timeout.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        timeout, self._timeout = self._timeout, None
        if timeout is None:
            return
        try:
            await timeout.__aexit__(kind, error, traceback)
        except TimeoutError as exc:
            raise OutOfPatience from exc

    def _deadline(self) -> float:
        now = asyncio.get_running_loop().time()
        if not self.has_left:
            return now + self._total_seconds
        return now + self._drain_seconds if self.has_begun else now
