"""Ctrl-C once: an ordered stop. Twice: kill."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignals:
    """Turns the first stop signal into the end of `during`, and every later one into a call of `kill`.

    A terminal that hangs up is such a signal, unless the process was started to outlive it (`nohup`).
    """

    def __init__(self, kill: Callable[[], None]) -> None:
        self._kill = kill
        self._stopped = asyncio.Event()
        is_detached = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        self._numbers = STOP_SIGNALS if is_detached else (*STOP_SIGNALS, signal.SIGHUP)

    def __enter__(self) -> Self:
        for number in self._numbers:
            asyncio.get_running_loop().add_signal_handler(number, self._receive)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number in self._numbers:
            asyncio.get_running_loop().remove_signal_handler(number)

    async def during(self, work: Coroutine[Any, Any, None]) -> bool:
        """Run `work` until it ends (True) or a signal cancels it (False); its errors are the caller's."""
        task = asyncio.create_task(work)
        stopped = asyncio.create_task(self._stopped.wait())
        try:
            await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            task.cancel()
        await asyncio.wait((task,))
        if task.cancelled():
            return False
        task.result()
        return True

    def _receive(self) -> None:
        if self._stopped.is_set():
            self._kill()
        self._stopped.set()
