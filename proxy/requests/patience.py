"""How long a request may go on: its own limit while the caller waits, much less once nobody does."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from proxy.requests.drains import Drains


class OutOfPatience(Exception):
    """The time is over; whether the caller had left says why."""


class Patience:
    """A deadline around the attempts of one request, which the caller's leaving moves forward (S13).

    Once something of an answer came, the upstream is read on for `drain_seconds` and `drain_bytes_max` after that, for
    its usage report, unless too many others drain. Before, only for `grace_seconds`: an answer that is on its way
    already has been billed.
    """

    def __init__(
        self,
        drains: Drains,
        *,
        total_seconds: float,
        drain_seconds: float,
        drain_bytes_max: int,
        grace_seconds: float,
    ) -> None:
        self._drains = drains
        self._total_seconds = total_seconds
        self._drain_seconds = drain_seconds
        self._drain_bytes_left = drain_bytes_max
        self._grace_seconds = grace_seconds
        self._timeout: asyncio.Timeout | None = None
        self._left_at: float | None = None
        self._has_begun = False
        self._is_cut = False

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

    def read(self, size: int) -> None:
        """So many bytes of an answer came."""
        if self._left_at is not None:
            self._drain_bytes_left -= size
            if self._drain_bytes_left < 0:
                self.cut()

    def cut(self) -> None:
        """Read no further: a bound on drains is reached."""
        self._is_cut = True
        self._reschedule()

    async def __aenter__(self) -> Self:
        self._timeout = asyncio.timeout_at(self._deadline())
        await self._timeout.__aenter__()
        self._drain_where_due()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        timeout, self._timeout = self._timeout, None
        self._drains.end(self.cut)
        if timeout is None:
            return
        try:
            await timeout.__aexit__(kind, error, traceback)
        except TimeoutError as exc:
            raise OutOfPatience from exc

    def _reschedule(self) -> None:
        if self._left_at is None or self._timeout is None or self._timeout.expired():
            return
        self._timeout.reschedule(self._deadline())
        self._drain_where_due()

    def _drain_where_due(self) -> None:
        if self._left_at is not None and self._has_begun and not self._is_cut:
            self._drains.begin(self.cut)

    def _deadline(self) -> float:
        now = asyncio.get_running_loop().time()
        if self._left_at is None:
            return now + self._total_seconds
        if self._is_cut:
            return now
        return self._left_at + (self._drain_seconds if self._has_begun else self._grace_seconds)
