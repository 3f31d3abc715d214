"""The pid file, and ending what an `up` that was killed has left behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

import psutil

from quotad.stack.datadir import write_private

STOP_SECONDS = 30.0
"""For each rank of processes: running requests may end and settle."""
CLOCK_SECONDS = 1.0
"""A process's start time is read from the kernel with less precision than this."""


class Entry(TypedDict):
    """A process that was started; its start time tells it from a later one of the same id."""

    name: str
    pid: int
    create_time: float


class PidFile:
    """Which processes this `up` has started, on the disk before any of them matters."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: dict[str, Entry] = {}

    def note(self, name: str, pid: int) -> None:
        """Keep the newest process of each name. One that has ended already needs no entry.

        A full disk must not take a running stack down: then the file misses this process until the next one.
        """
        with contextlib.suppress(psutil.NoSuchProcess, OSError):
            self._entries[name] = Entry(name=name, pid=pid, create_time=psutil.Process(pid).create_time())
            write_private(self._path, json.dumps(list(self._entries.values())))

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)


def living(path: Path) -> dict[str, psutil.Process]:
    """The processes of an earlier `up` that still run, by name; none where the file is missing or damaged."""
    try:
        entries: list[Entry] = json.loads(path.read_text("utf-8"))
        found = {entry["name"]: _same_process(entry) for entry in entries}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return {name: process for name, process in found.items() if process is not None}


def end(processes: dict[str, psutil.Process], order: Sequence[str], stop_signals: dict[str, signal.Signals]) -> None:
    """Stop the processes rank by rank: `order` holds prefixes of names, what it does not mention goes first."""

    def rank(name: str) -> int:
        return next((index for index, prefix in enumerate(order) if name.startswith(prefix)), -1)

    for number in sorted({rank(name) for name in processes}):
        members = {name: process for name, process in processes.items() if rank(name) == number}
        for name, process in members.items():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(stop_signals.get(name, signal.SIGTERM))
        _, alive = psutil.wait_procs(list(members.values()), timeout=STOP_SECONDS)
        for process in alive:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        psutil.wait_procs(alive, timeout=STOP_SECONDS)


def _same_process(entry: Entry) -> psutil.Process | None:
    try:
        process = psutil.Process(int(entry["pid"]))
        is_same = abs(process.create_time() - entry["create_time"]) < CLOCK_SECONDS
    except psutil.NoSuchProcess:
        return None
    return process if is_same and process.status() != psutil.STATUS_ZOMBIE else None
