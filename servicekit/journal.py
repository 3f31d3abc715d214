"""Entries that stay open until they are done, as lines of append-only files that survive any crash. Pure.

    <crc32 of the rest, 8 hex digits> {"open": id, "time": seconds, "content": {...}}
    <crc32 of the rest, 8 hex digits> {"done": id}

A line counts only when it is whole, its newline included: what a crash cut off was never acknowledged. A line in the
middle that does not check is set aside, and costs no other line. An entry that is opened again takes the place of the
one before; whatever is done stays done until it is opened again.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SUFFIX = ".journal"
CHECK_BYTES = 9
"""The checksum and the space after it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that is still to be done."""

    entry_id: str
    time: float
    """When it was first written down, in seconds since 1970."""
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Done:
    """The mark that ends an entry."""

    entry_id: str


@dataclass(frozen=True, slots=True)
class Segment:
    """What one file says."""

    lines: tuple[Entry | Done, ...]
    corrupt: tuple[bytes, ...]
    """Lines that do not check, without their newlines."""
    whole_bytes: int
    """The rest of the file was cut off by a crash."""


def encode(line: Entry | Done) -> bytes:
    """One line, its newline included."""
    match line:
        case Entry(entry_id=entry_id, time=time, content=content):
            fields: dict[str, object] = {"open": entry_id, "time": time, "content": dict(content)}
        case Done(entry_id=entry_id):
            fields = {"done": entry_id}
    body = json.dumps(fields, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def read_segment(data: bytes) -> Segment:
    """Every line of a file that is whole."""
    whole_bytes = data.rfind(b"\n") + 1
    lines: list[Entry | Done] = []
    corrupt: list[bytes] = []
    for raw in data[:whole_bytes].split(b"\n")[:-1]:
        line = _decode(raw)
        if line is None:
            corrupt.append(raw)
        else:
            lines.append(line)
    return Segment(tuple(lines), tuple(corrupt), whole_bytes)


def open_entries(segments: Iterable[Segment]) -> dict[str, Entry]:
    """What is not done after all these files, in the order in which it was opened."""
    found: dict[str, Entry] = {}
    for segment in segments:
        for line in segment.lines:
            found.pop(line.entry_id, None)
            if isinstance(line, Entry):
                found[line.entry_id] = line
    return found


def segment_paths(directory: Path) -> list[Path]:
    """The files of a directory, oldest first."""
    return sorted(path for path in directory.glob(f"*{SUFFIX}") if path.is_file())


def segment_path(directory: Path, number: int) -> Path:
    return directory / f"{number:012d}{SUFFIX}"


def _decode(raw: bytes) -> Entry | Done | None:
    body = raw[CHECK_BYTES:]
    if raw[:CHECK_BYTES] != b"%08x " % zlib.crc32(body):
        return None
    try:
        fields = json.loads(body)
        if "done" in fields:
            return Done(str(fields["done"]))
        return Entry(str(fields["open"]), float(fields["time"]), dict(fields["content"]))
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
