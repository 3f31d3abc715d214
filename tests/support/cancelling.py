"""Cancelling a coroutine exactly where it waits, at places that are counted."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator, Mapping
from enum import Enum
from typing import Any


class When(Enum):
    """Whether the cancellation comes before what is waited for, or just after it, so that its result is lost."""

    BEFORE = "before"
    AFTER = "after"


class Cancelled:
    """A coroutine that is run in the present task, which is cancelled at some of its waits, counted from 1."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], cancelled_at: Mapping[int, When]) -> None:
        self.waits = 0
        self._coroutine = coroutine
        self._cancelled_at = cancelled_at

    def __await__(self) -> Generator[Any, Any, None]:
        thrown: BaseException | None = None
        while True:
            try:
                waited_for = self._coroutine.send(None) if thrown is None else self._coroutine.throw(thrown)
            except StopIteration:
                return
            self.waits += 1
            self._cancel(waited_for)
            thrown = None
            try:
                yield waited_for
            except BaseException as error:  # noqa: BLE001 - goes on into the coroutine, whatever it is
                thrown = error

    def _cancel(self, waited_for: asyncio.Future[Any] | None) -> None:
        task = asyncio.current_task()
        when = self._cancelled_at.get(self.waits)
        if task is None or when is None:
            return
        if when is When.BEFORE or waited_for is None:
            task.cancel()
        else:
            waited_for.add_done_callback(lambda _: task.cancel())
