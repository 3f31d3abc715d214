"""The files of one outbox directory. Only one thread at a time may use an object of these.

What `write` returns from is on the disk. What it raises from does not count: the file is cut back to what it held.
A file is removed, oldest first, when all of its entries are done; while the oldest keeps many others alive for a few
entries, these are written again at the end.
"""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from servicekit.journal import Done, Entry, encode, open_entries, read_segment, segment_path, segment_paths

SEGMENTS_KEPT = 4
"""Files that one old entry may keep alive."""
MODE = 0o600


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a directory held."""

    entries: tuple[Entry, ...]
    corrupt: tuple[bytes, ...]
    files: tuple[Path, ...]


def replay(directory: Path) -> Replayed:
    """Everything open in a directory that nobody writes. A last line that a crash cut off is no line."""
    files = segment_paths(directory)
    segments = [read_segment(path.read_bytes()) for path in files]
    corrupt = tuple(line for segment in segments for line in segment.corrupt)
    return Replayed(tuple(open_entries(segments).values()), corrupt, tuple(files))


class Segments:
    """Writes entries and their ends into a directory that is empty at the beginning."""

    def __init__(self, directory: Path, *, segment_bytes_max: int, bytes_max: int) -> None:
        self._directory = directory
        self._segment_bytes_max = segment_bytes_max
        self._bytes_max = bytes_max
        self._descriptor: int | None = None
        self._number = 0
        self._sizes: dict[int, int] = {}
        """Bytes by number of file, oldest first."""
        self._live: Counter[int] = Counter()
        """Bytes of open entries by file."""
        self._homes: dict[str, tuple[int, int]] = {}
        """Where each open entry lies: its file, and its bytes there."""

    @property
    def entries(self) -> int:
        """Open ones."""
        return len(self._homes)

    @property
    def size(self) -> int:
        """Bytes in all files."""
        return sum(self._sizes.values())

    def write(self, entries: Sequence[Entry], done: Iterable[str], *, is_moved: bool = False) -> None:
        """Put all of it on the disk, or raise `OSError`. What is moved here lay on the same disk before."""
        opened = {entry.entry_id: encode(entry) for entry in entries}
        ended = tuple(done)
        size = sum(map(len, opened.values()))
        if size and not is_moved and self.size + size > self._bytes_max:
            raise OSError(errno.EDQUOT, f"the outbox is at its bound of {self._bytes_max} bytes")
        self._append(opened, b"".join(encode(Done(entry_id)) for entry_id in ended))
        for entry_id in ended:
            self._forget(entry_id)
        # Files that could not be removed cost room only, and are tried again with the next write.
        with suppress(OSError):
            self._sweep()

    def close(self) -> None:
        """Remove what is not needed any more."""
        self._close_file()
        with suppress(OSError):
            self._sweep()

    def _append(self, opened: Mapping[str, bytes], ends: bytes) -> None:
        descriptor = self._opened()
        data = b"".join((*opened.values(), ends))
        try:
            _write_whole(descriptor, data)
            os.fsync(descriptor)
        except OSError:
            self._cut_back(descriptor)
            raise
        for entry_id, line in opened.items():
            self._forget(entry_id)
            self._homes[entry_id] = self._number, len(line)
            self._live[self._number] += len(line)
        self._sizes[self._number] += len(data)
        if self._sizes[self._number] >= self._segment_bytes_max:
            self._close_file()

    def _opened(self) -> int:
        if self._descriptor is None:
            path = segment_path(self._directory, self._number + 1)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
            self._descriptor = os.open(path, flags, MODE)
            self._number += 1
            self._sizes[self._number] = 0
            sync_directory(self._directory)
        return self._descriptor

    def _cut_back(self, descriptor: int) -> None:
        """Nothing of a failed write may stay; and after a failed fsync nothing more is written to the same file."""
        size = self._sizes[self._number]
        with suppress(OSError):  # lines that stay are repeats of what this process goes on to deliver
            os.ftruncate(descriptor, size)
        self._close_file()
        if not size:
            del self._sizes[self._number]
            segment_path(self._directory, self._number).unlink(missing_ok=True)

    def _close_file(self) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)

    def _forget(self, entry_id: str) -> None:
        number, size = self._homes.pop(entry_id, (0, 0))
        self._live[number] -= size

    def _sweep(self) -> None:
        """Oldest first, because a later file may hold the end of an earlier one's entry."""
        while (oldest := next(iter(self._sizes), None)) is not None and not self._is_active(oldest):
            if self._live[oldest]:
                # Moving a full file would only make another one.
                if len(self._sizes) <= SEGMENTS_KEPT or self._live[oldest] > self._sizes[oldest] / 2:
                    return
                self._move(oldest)
            segment_path(self._directory, oldest).unlink(missing_ok=True)
            del self._sizes[oldest], self._live[oldest]

    def _is_active(self, number: int) -> bool:
        return number == self._number and self._descriptor is not None

    def _move(self, number: int) -> None:
        """Write what is open of a file again, at the end."""
        segment = read_segment(segment_path(self._directory, number).read_bytes())
        found = open_entries([segment]).values()
        self._append({entry.entry_id: encode(entry) for entry in found if self._lies_in(number, entry)}, b"")

    def _lies_in(self, number: int, entry: Entry) -> bool:
        return self._homes.get(entry.entry_id, (0, 0))[0] == number


def sync_directory(directory: Path) -> None:
    """A file's name is on the disk only after this."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_whole(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
