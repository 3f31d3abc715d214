"""What an outbox does on the disk, in one thread. Everything raises `OSError` where the disk does not go along.

set-aside/<worker>.jsonl     settlements that the ledger refused for good, for the operator; never deleted here
set-aside/<worker>.corrupt   lines of outboxes that could not be read
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog
from prometheus_client import Counter

from proxy.settlement.directories import (
    DIRECTORY_MODE,
    SET_ASIDE,
    HeldDirectory,
    free_directories,
    make_directory,
)
from proxy.settlement.segments import MODE, Replayed, Segments, replay, sync_directory
from servicekit.journal import Entry

ADOPTED_ENTRIES_MAX = 1000
"""Entries of one write while another outbox is taken over."""

log = structlog.get_logger(__name__)

corrupt_lines = Counter("proxy_outbox_corrupt_lines", "Lines of outboxes that could not be read and were set aside.")


class OutboxFiles:
    """One process's directory below a root that several share. For one thread at a time."""

    def __init__(self, root: Path, *, segment_bytes_max: int, bytes_max: int) -> None:
        self._root = root
        self._segment_bytes_max = segment_bytes_max
        self._bytes_max = bytes_max
        self._held: HeldDirectory | None = None
        self._segments: Segments | None = None

    @property
    def entries(self) -> int:
        return self._segments.entries if self._segments else 0

    @property
    def size(self) -> int:
        return self._segments.size if self._segments else 0

    def open(self) -> Segments:
        """Make the directory where it is not made yet."""
        if self._segments is None:
            self._held = make_directory(self._root)
            self._segments = Segments(
                self._held.path, segment_bytes_max=self._segment_bytes_max, bytes_max=self._bytes_max
            )
        return self._segments

    def write(self, entries: Sequence[Entry], ended: Iterable[str]) -> None:
        segments = self.open()
        try:
            segments.write(entries, ended)
        except FileNotFoundError:
            # Somebody removed the directory: what is still in memory goes into another one.
            self.close()
            raise

    def adopt(self) -> list[Entry]:
        """Move what dead processes have left into this process's own files."""
        adopted: list[Entry] = []
        for held in free_directories(self._root):
            try:
                adopted += self._take_over(held.path)
            except OSError as exc:
                log.error("outbox not taken over", directory=str(held.path), error=str(exc))  # noqa: TRY400
            finally:
                held.release()
        return adopted

    def set_aside(self, fields: Mapping[str, Any]) -> None:
        """Keep one settlement for the operator."""
        self._append_aside("jsonl", [json.dumps(fields, separators=(",", ":")).encode()])

    def count_set_aside(self) -> int:
        """How many settlements wait for the operator below the root, whoever set them aside."""
        return sum(path.read_bytes().count(b"\n") for path in (self._root / SET_ASIDE).glob("*.jsonl"))

    def close(self) -> None:
        """Let go; with open entries in it, the directory waits for the next process."""
        segments, held = self._segments, self._held
        self._segments = self._held = None
        if segments is not None and held is not None:
            segments.close()
            held.release()

    def _take_over(self, directory: Path) -> tuple[Entry, ...]:
        found = replay(directory)
        self._tell_corrupt(directory, found)
        for start in range(0, len(found.entries), ADOPTED_ENTRIES_MAX):
            self.open().write(found.entries[start : start + ADOPTED_ENTRIES_MAX], (), is_moved=True)
        for path in found.files:
            path.unlink()
        if found.entries:
            log.info("outbox taken over", directory=str(directory), entries=len(found.entries))
        return found.entries

    def _tell_corrupt(self, directory: Path, found: Replayed) -> None:
        if found.corrupt:
            self._append_aside("corrupt", found.corrupt)
            corrupt_lines.inc(len(found.corrupt))
            log.error("outbox has corrupt lines", directory=str(directory), lines=len(found.corrupt))

    def _append_aside(self, suffix: str, lines: Sequence[bytes]) -> None:
        self.open()
        name = self._held.path.name if self._held else ""
        directory = self._root / SET_ASIDE
        directory.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
        descriptor = os.open(directory / f"{name}.{suffix}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, MODE)
        try:
            with os.fdopen(descriptor, "ab", closefd=False) as file:
                file.writelines(line + b"\n" for line in lines)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_directory(directory)
