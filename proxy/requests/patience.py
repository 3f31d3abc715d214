"""How long a request may go on: its own limit while the caller waits, much less once nobody does."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self


class OutOfPatience(Exception):
    """The time is over; whether the caller had left says why."""


class Patience:
    """A deadline around the attempts of one request, which the caller's leaving moves forward (S13).

    Once something of an answer came, the upstream is read on for `drain_seconds` after that, for its usage report.
    Before, only for `grace_seconds`: an answer that is on its way already has been billed.
    """

    def __init__(self, *, total_seconds: float, drain_seconds: float, grace_seconds: float) -> None:
        self._total_seconds = total_seconds
        self._drain_seconds = drain_seconds
        self._grace_seconds = grace_seconds
        self._timeout: asyncio.Timeout | None = None
        self._left_at: float | None = None
        self._has_begun = False

    @property
    def has_left(self) -> bool:
        return self._left_at is not None

    def leave(self) -> None:
        """The caller is gone. Repeating it changes nothing."""
        if self._left_at is None:
            self._left_at = asyncio.get_running_loop().time()
            self._reschedule()

    def begin(self) -> None:
        """Something of an answer came. Repeating it changes nothing."""
        if not self._has_begun:
            self._has_begun = True
            self._reschedule()

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

    def _reschedule(self) -> None:
        if self._left_at is not None and self._timeout is not None and not self._timeout.expired():
            self._timeout.reschedule(self._deadline())

    def _deadline(self) -> float:
        if self._left_at is None:
            return asyncio.get_running_loop().time() + self._total_seconds
        return self._left_at + (self._drain_seconds if self._has_begun else self._grace_seconds)
