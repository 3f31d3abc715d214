"""One supervised child: started, watched, started again when it dies, stopped with everything it started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from quotad.stack.commands import Command
from quotad.stack.errors import StackError
from quotad.stack.logfiles import LogFile
from quotad.stack.readiness import Probe
from servicekit.restarts import Pauses

POLL_SECONDS = 0.05
TAIL_LINES = 12
RESTART_SECONDS_MIN = 0.5
RESTART_SECONDS_MAX = 30.0
STEADY_SECONDS = 60.0
"""A child that lived this long starts again without a longer pause."""

OWN_WORDS = re.compile(r"^(quotad|quota-proxy|quota-dashboard): ")
"""How the one line begins with which our programs end when they cannot work."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Service:
    """What `up` keeps running."""

    name: str
    command: Command
    is_ready: Probe
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 10.0
    """How long its ordered stop may take before it is killed."""
    kill_signal: signal.Signals = signal.SIGKILL


class Child:
    """A service's process. `on_start` is called with each new process id, before anything else."""

    def __init__(self, service: Service, log: LogFile, say: Say, on_start: Callable[[str, int], None]) -> None:
        self.service = service
        self.log = log
        self.log_offset = 0
        """Where the output of the present process begins."""
        self._say = say
        self._on_start = on_start
        self._process: asyncio.subprocess.Process | None = None

    @property
    def name(self) -> str:
        return self.service.name

    async def start(self) -> None:
        """Raises `StackError` where the program cannot be run."""
        try:
            self.log_offset = self.log.size()
            with self.log.open() as output:
                self._process = await asyncio.create_subprocess_exec(
                    *self.service.command.argv,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    **self.service.command.spawn_arguments(),
                )
        except OSError as exc:
            raise StackError(f"{self.name} cannot be started: {exc}") from exc
        self._on_start(self.name, self._process.pid)

    async def wait_ready(self, seconds: float) -> None:
        """Raises `StackError`, and says the last lines of its log, when it ends or takes longer than `seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.returncode is None:
                    if await self.service.is_ready():
                        return
                    await asyncio.sleep(POLL_SECONDS)
        self._fail(f"is not ready after {seconds:g} s")

    async def wait_done(self, seconds: float) -> None:
        """For a command that ends by itself: raises `StackError` unless it succeeds within `seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                if await self._running.wait() == 0:
                    return
        self._fail(f"is not done after {seconds:g} s")

    async def keep_running(self) -> None:
        """Start the process again whenever it ends, each time in a row after a longer pause. Cancel it to stop."""
        pauses = Pauses(seconds_min=RESTART_SECONDS_MIN, seconds_max=RESTART_SECONDS_MAX, steady_seconds=STEADY_SECONDS)
        clock = asyncio.get_running_loop().time
        while True:
            since = clock()
            code = await self._running.wait()
            pause = pauses.after(clock() - since)
            self._say(f"{self.name} {_ending(code)}; starting it again in {pause:g} s (its log: {self.log.path})")
            await asyncio.sleep(pause)
            try:
                await self.start()
            except StackError as exc:
                self._say(str(exc))  # perhaps short of memory or descriptors: the next round tries again

    async def stop(self) -> None:
        """Ask it to stop, and kill its group when it does not within its time; returns when it has ended."""
        if self._process is None:
            return
        self.send(self.service.stop_signal)
        try:
            async with asyncio.timeout(self.service.stop_seconds):
                await self._process.wait()
        except TimeoutError:
            self._say(f"{self.name} does not stop: killing it")
            self.kill(signal.SIGKILL)
            await self._process.wait()
        _signal_group(self._process.pid, signal.SIGKILL)  # whatever it started and left behind

    def send(self, number: signal.Signals) -> None:
        """Signal the process alone."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    def kill(self, number: signal.Signals | None = None) -> None:
        """Kill the process with its group, by `number` or its service's own signal."""
        if self._process is not None and self._process.returncode is None:
            _signal_group(self._process.pid, number or self.service.kill_signal)

    def output(self) -> list[str]:
        """The lines that the present process has printed."""
        return self.log.since(self.log_offset)

    def _fail(self, when_running: str) -> NoReturn:
        """Its own last line where that says it all, else what happened, after the end of its log."""
        lines = self.output()[-TAIL_LINES:] or [""]
        if self.returncode is not None and OWN_WORDS.match(lines[-1]):
            raise StackError(f"{self.name} cannot start: {OWN_WORDS.sub('', lines[-1])}")
        self._say("\n    ".join((f"the end of {self.log.path}:", *lines)))
        reason = when_running if self.returncode is None else _ending(self.returncode)
        raise StackError(f"{self.name} {reason}: its last lines stand above, its whole log in {self.log.path}")

    @property
    def returncode(self) -> int | None:
        return None if self._process is None else self._process.returncode

    @property
    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise StackError(f"{self.name} was not started")
        return self._process


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def _ending(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
