"""Real processes for tests: each in a session of its own, its output in a file, ended with the test that started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.waiting import eventually_now

REPOSITORY = Path(__file__).parents[2]
STOP_SECONDS = 10.0


@dataclass(slots=True)
class RunningProcess:
    """A process that a test started; `pid` is its process group's id, too."""

    popen: subprocess.Popen[bytes]
    output_path: Path

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def returncode(self) -> int | None:
        return self.popen.poll()

    @property
    def output(self) -> str:
        """Standard output and error so far, as one text."""
        return self.output_path.read_text("utf-8", errors="replace")

    def signal(self, number: signal.Signals) -> None:
        """Signal the process alone, not what it started."""
        self.popen.send_signal(number)

    def wait(self, seconds: float = STOP_SECONDS) -> int:
        return self.popen.wait(seconds)

    def wait_for_output(self, text: str, seconds: float = 20.0) -> str:
        """Wait until the output holds `text`; fails at once when the process ends without it."""

        def said() -> bool:
            ended = self.returncode is not None
            if text in self.output:
                return True
            assert not ended, f"ended with {self.returncode} before saying {text!r}:\n{self.output}"
            return False

        eventually_now(said, seconds)
        return self.output

    def stop(self) -> int:
        """SIGTERM, and SIGKILL for the whole group when that is not enough; returns the exit code."""
        if self.returncode is None:
            self.popen.terminate()
        try:
            return self.popen.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.popen.wait(STOP_SECONDS)

    def kill(self) -> None:
        """SIGKILL for the process and its group."""
        if self.returncode is None:
            os.killpg(self.pid, signal.SIGKILL)
            self.popen.wait(STOP_SECONDS)


def start_process(
    argv: Sequence[str], output_path: Path, *, env: Mapping[str, str] | None = None, cwd: Path = REPOSITORY
) -> RunningProcess:
    """Start `argv` with exactly the environment `env` (default: ours); the caller stops it."""
    with output_path.open("wb") as output:
        popen = subprocess.Popen(
            argv,
            env=None if env is None else dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return RunningProcess(popen, output_path)


@contextmanager
def running(
    argv: Sequence[str], output_path: Path, *, env: Mapping[str, str] | None = None, cwd: Path = REPOSITORY
) -> Iterator[RunningProcess]:
    """`start_process`, stopped at the end of the block."""
    process = start_process(argv, output_path, env=env, cwd=cwd)
    try:
        yield process
    finally:
        process.stop()


def command(name: str) -> str:
    """The path of one of the project's console scripts (`quotad`, `quota-proxy`, `quota-dashboard`)."""
    return str(Path(sys.executable).with_name(name))
