"""The children of one `up`: started together, kept running, stopped in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from quotad.stack.commands import Command
from quotad.stack.datadir import DataDirectory
from quotad.stack.errors import StackError
from quotad.stack.leftovers import PidFile
from quotad.stack.logfiles import LogFile
from quotad.stack.processes import Child, Say, Service
from quotad.stack.services import STOP_ORDER

READY_SECONDS_MAX = 60.0
"""A slow machine's first start, when nothing is in its caches yet."""
COMMAND_SECONDS_MAX = 300.0
"""A migration may have to rewrite a table."""
ROTATE_SECONDS = 30.0
COMMANDS = ("migrate", "ensure")
"""How the names of commands that end by themselves begin; they stop before every service."""


class Supervisor:
    """Every process is noted in the pid file as it starts. After `kill`, `stop` has little left to wait for."""

    def __init__(self, directory: DataDirectory, say: Say) -> None:
        self._directory = directory
        self._say = say
        self._pid_file = PidFile(directory.children)
        self._children: dict[str, Child] = {}

    def output(self, name: str) -> list[str]:
        """What a child has said since its last start."""
        return self._children[name].output()

    async def start(self, services: Iterable[Service]) -> None:
        """Start the services side by side and wait until each is ready; raises `StackError` with what went wrong."""
        children = [self._add(service) for service in services]
        async with first_failure() as tasks:
            for child in children:
                await child.start()
                tasks.create_task(child.wait_ready(READY_SECONDS_MAX))

    async def run(self, name: str, command: Command) -> list[str]:
        """Run a command to its good end; returns the lines that it has printed. Raises `StackError`."""
        child = self._add(Service(name, command, _never))
        await child.start()
        await child.wait_done(COMMAND_SECONDS_MAX)
        return child.output()

    async def keep(self) -> None:
        """Start again what ends, and keep the logs bounded, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for child in self._children.values():
                if not child.name.startswith(COMMANDS):
                    tasks.create_task(child.keep_running())
            tasks.create_task(self._rotate_logs())

    async def stop(self) -> None:
        """Stop everything in order; callers end before those they call."""
        for prefix in (*COMMANDS, *STOP_ORDER):
            members = [child for name, child in self._children.items() if name.startswith(prefix)]
            if any(child.returncode is None for child in members):
                self._say(f"stopping {', '.join(child.name for child in members)}")
            await asyncio.gather(*(child.stop() for child in members))
        self._pid_file.remove()

    def kill(self) -> None:
        """End everything at once."""
        for child in self._children.values():
            child.kill()

    def _add(self, service: Service) -> Child:
        log = LogFile(self._directory.logs / f"{service.name}.log")
        child = Child(service, log, self._say, self._pid_file.note)
        self._children[service.name] = child
        return child

    async def _rotate_logs(self) -> None:
        while True:
            await asyncio.sleep(ROTATE_SECONDS)
            for child in self._children.values():
                try:
                    await asyncio.to_thread(child.log.rotate)
                except OSError as exc:  # a full disk; the services matter more than their logs
                    self._say(f"the log of {child.name} cannot be rotated: {exc.strerror}")


@asynccontextmanager
async def first_failure() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group whose first `StackError` comes out by itself; the other tasks are cancelled."""
    try:
        async with asyncio.TaskGroup() as tasks:
            yield tasks
    except ExceptionGroup as group:
        failures, others = group.split(StackError)
        if failures is None or others is not None:
            raise
        raise failures.exceptions[0] from None


async def _never() -> bool:
    return False
