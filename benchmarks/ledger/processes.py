"""Processes of a run: each in a session of its own, its output in a file, ended with the block, or with us."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from quotad.stack.commands import Command

REPOSITORY = Path(__file__).parents[2]
POLL_SECONDS = 0.02
READY_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 60.0
LOG_TAIL_CHARACTERS = 2_000
PR_SET_PDEATHSIG = 1
PRODUCT_PREFIXES = ("QUOTAD_", "QUOTA_", "PROXY_", "DASHBOARD_")


class RunFailed(RuntimeError):
    """A part of the run does not work; the message says which, with the end of its log."""


@dataclass(frozen=True, slots=True)
class Process:
    """A running process of ours."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        return self.popen.pid

    def wait_until(self, is_ready: Callable[[], bool], seconds: float = READY_SECONDS_MAX) -> None:
        deadline = time.monotonic() + seconds
        while not is_ready():
            if self.popen.poll() is not None or time.monotonic() > deadline:
                raise RunFailed(f"{self.name} is not ready (exit code {self.popen.poll()}): {tail(self.log)}")
            time.sleep(POLL_SECONDS)

    def says(self, words: str) -> bool:
        return words in self.log.read_text("utf-8", errors="replace")

    def stop(self, number: signal.Signals) -> None:
        """Ask it to end, and kill its group when it does not within its time."""
        if self.popen.poll() is None:
            self.popen.send_signal(number)
        try:
            self.popen.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)
            self.popen.wait(STOP_SECONDS_MAX)


@contextmanager
def running(
    name: str, command: Command, log: Path, *, stop_signal: signal.Signals = signal.SIGTERM
) -> Iterator[Process]:
    """A process for the length of the block."""
    with log.open("wb") as output:
        popen = subprocess.Popen(
            command.argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - one prctl
            **command.spawn_arguments(),
        )
    process = Process(name, popen, log)
    try:
        yield process
    finally:
        process.stop(stop_signal)


def python(module: str, *arguments: str, settings: Mapping[str, str] | None = None) -> Command:
    """A module of this package, run by this interpreter."""
    return Command((sys.executable, "-m", module, *arguments), environment(settings), cwd=REPOSITORY)


def script(name: str, *arguments: str, settings: Mapping[str, str] | None = None) -> Command:
    """A console script of the project. It runs in a directory without an `.env`."""
    return Command((str(Path(sys.executable).with_name(name)), *arguments), environment(settings), cwd=Path("/"))


def environment(settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """Ours without any setting of the product, and with these."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(PRODUCT_PREFIXES)}
    return {**clean, "QUOTA_DATA_DIR": "/nonexistent", **(settings or {})}


def finished(command: Command, seconds_max: float, stdin: str = "") -> str:
    """Run to its end; its standard output. Raises `RunFailed`."""
    name = " ".join((Path(command.argv[0]).name, *command.argv[1:3]))
    try:
        done = subprocess.run(
            command.argv,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds_max,
            env=command.env,
            cwd=command.cwd,
        )
    except subprocess.TimeoutExpired as exc:
        raise RunFailed(f"{name}: not done after {seconds_max:g} s") from exc
    if done.returncode:
        raise RunFailed(f"{name}: exit code {done.returncode}: {done.stderr[-LOG_TAIL_CHARACTERS:].strip()}")
    return done.stdout


def tail(log: Path) -> str:
    return log.read_text("utf-8", errors="replace")[-LOG_TAIL_CHARACTERS:]


def _end_with_parent() -> None:
    """A run that is killed cannot stop what it started: the kernel then does."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
