"""The project's commands, run to their end in this process or in one of their own."""

from __future__ import annotations

import io
import json
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import command
from tests.support.stack import clean_environment

NO_DATABASE = "postgresql://nobody:hidden-word@127.0.0.1:1/none"
SECONDS_MAX = 30.0

Main = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


@dataclass(frozen=True, slots=True)
class InProcess:
    """Runs the console script `name` in this process: quicker than a process, and its code is what is tested."""

    name: str
    main: Main
    monkeypatch: pytest.MonkeyPatch
    capture: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str, stdin: str = "") -> Ended:
        self.capture.readouterr()
        with self.monkeypatch.context() as patch:
            patch.setattr("sys.argv", [self.name, *arguments])
            patch.setattr("sys.stdin", io.StringIO(stdin))
            with pytest.raises(SystemExit) as exit_:
                self.main()
        output = self.capture.readouterr()
        assert isinstance(exit_.value.code, int)
        return Ended(exit_.value.code, output.out, output.err)


def run_command(name: str, *arguments: str, settings: Mapping[str, str], directory: Path, stdin: str = "") -> Ended:
    """Run the console script `name` as a process with these settings alone, in `directory`."""
    done = subprocess.run(
        [command(name), *arguments],
        env={**clean_environment(), "QUOTA_DATA_DIR": str(directory), **settings},
        cwd=directory,
        check=False,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        input=stdin,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def assert_could_not_begin(ended: Ended, name: str, said: str) -> None:
    """It ended with one line that says why, exit code 2, and no secret."""
    assert (ended.code, ended.stdout) == (2, ""), ended.stderr
    [line] = ended.stderr.strip().splitlines()
    assert line.startswith(f"{name}: ")
    assert said in line
    assert "hidden-word" not in line


@contextmanager
def taken_address() -> Iterator[str]:
    """A loopback `host:port` on which somebody else listens."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield f"127.0.0.1:{holder.getsockname()[1]}"
