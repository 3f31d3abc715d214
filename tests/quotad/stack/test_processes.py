"""A supervised child, as small real programs."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from quotad.stack.commands import Command
from quotad.stack.errors import StackError
from quotad.stack.logfiles import LogFile
from quotad.stack.processes import Child, Service
from tests.support.waiting import eventually


@dataclass
class Bench:
    """Makes children from Python source and remembers what they said and which processes they were."""

    directory: Path
    said: list[str] = field(default_factory=list)
    pids: list[int] = field(default_factory=list)

    def child(self, source: str, *, stop_seconds: float = 10.0) -> Child:
        ready = self.directory / "ready"
        command = Command((sys.executable, "-c", source), {**os.environ, "READY": str(ready)}, cwd=self.directory)

        async def is_ready() -> bool:
            return ready.exists()

        service = Service("part", command, is_ready, stop_seconds=stop_seconds)
        return Child(
            service, LogFile(self.directory / "part.log"), self.said.append, lambda _, pid: self.pids.append(pid)
        )


WAITS = "import os, pathlib, signal; pathlib.Path(os.environ['READY']).touch(); signal.pause()"
IGNORES = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: exec({WAITS!r})"
FAILS = "print('the reason'); raise SystemExit(3)"
LEAVES_ONE_BEHIND = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {WAITS!r}]).wait()"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def test_a_child_that_dies_is_started_again(bench: Bench) -> None:
    child = bench.child(WAITS)
    await child.start()
    await child.wait_ready(20.0)
    keeper = asyncio.create_task(child.keep_running())
    try:
        child.kill()
        await eventually(lambda: len(bench.pids) == 2)
        assert "was ended by SIGKILL; starting it again" in bench.said[0]
    finally:
        keeper.cancel()
        await child.stop()
    assert not any(psutil.pid_exists(pid) for pid in bench.pids)


async def test_a_child_that_cannot_start_tells_its_last_lines(bench: Bench) -> None:
    child = bench.child(FAILS)
    await child.start()
    with pytest.raises(StackError, match="part ended with code 3"):
        await child.wait_ready(20.0)
    assert "the reason" in bench.said[0]


async def test_a_program_that_is_not_there_is_one_line(bench: Bench) -> None:
    child = bench.child(WAITS)
    missing = Service("part", Command(("/nowhere/program",), {}), child.service.is_ready)
    with pytest.raises(StackError, match=r"part cannot be started: .*No such file"):
        await Child(missing, child.log, bench.said.append, lambda *_: None).start()


async def test_a_child_that_does_not_stop_is_killed(bench: Bench) -> None:
    child = bench.child(IGNORES, stop_seconds=0.2)
    await child.start()
    await child.wait_ready(20.0)
    await child.stop()
    assert bench.said == ["part does not stop: killing it"]
    assert not psutil.pid_exists(bench.pids[0])


async def test_what_a_child_leaves_behind_ends_with_it(bench: Bench) -> None:
    child = bench.child(LEAVES_ONE_BEHIND)
    await child.start()
    await child.wait_ready(20.0)
    (grandchild,) = psutil.Process(bench.pids[0]).children()
    await child.stop()
    await eventually(lambda: not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE)
