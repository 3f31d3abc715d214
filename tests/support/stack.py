"""`quotad up` as a real process on free ports, in a data directory of its own."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from servicekit.stackfile import StackFile
from tests.support.processes import RunningProcess, command, start_process
from tests.support.waiting import eventually_now

READY_SECONDS = 50.0
STOP_SECONDS = 30.0
PORTS = 16
"""Ports from the base on that `--port-base` may use."""


@dataclass(frozen=True, slots=True)
class RunningStack:
    """A stack that is ready, and where its parts are."""

    process: RunningProcess
    data_dir: Path
    ready: StackFile

    def environment(self) -> dict[str, str]:
        """For commands that find the stack by its data directory."""
        return {**clean_environment(), "QUOTA_DATA_DIR": str(self.data_dir)}


def clean_environment() -> dict[str, str]:
    """Ours without any setting of the product."""
    prefixes = ("QUOTAD_", "QUOTA_", "PROXY_", "DASHBOARD_")
    return {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}


@contextmanager
def running_stack(
    directory: Path, *, data_dir: Path | None = None, settings: Mapping[str, str] | None = None
) -> Iterator[RunningStack]:
    """Start everything below `directory`, wait until it is ready, and stop it by one Ctrl-C after the block."""
    directory.mkdir(exist_ok=True)
    data_dir, ready_file = data_dir or directory / "data", directory / "ready.json"
    argv = [command("quotad"), "up", "--data-dir", str(data_dir), "--ready-file", str(ready_file)]
    argv += ["--proxies", "2", "--port-base", str(free_port_base())]
    process = start_process(argv, directory / "up.log", env={**clean_environment(), **(settings or {})})
    try:
        eventually_now(lambda: ready_file.exists() or _still_running(process), READY_SECONDS)
        yield RunningStack(process, data_dir, json.loads(ready_file.read_text("utf-8")))
    finally:
        if process.returncode is None:
            process.signal(signal.SIGINT)
        process.wait(STOP_SECONDS)


def free_port_base() -> int:
    """A port from which on `PORTS` ports are free at the moment."""
    chance = random.SystemRandom()
    return eventually_now(lambda: next((base for base in [chance.randrange(20000, 30000, PORTS)] if _free(base)), 0))


def _free(base: int) -> bool:
    try:
        for port in range(base, base + PORTS):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


def _still_running(process: RunningProcess) -> bool:
    assert process.returncode is None, f"quotad up ended with {process.returncode}:\n{process.output}"
    return False
