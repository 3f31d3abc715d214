"""The children's output: one file each, bounded, readable when something goes wrong."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

BYTES_MAX = 16 * 1024 * 1024
"""Of one file; with its predecessor twice that for each child."""
TAIL_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class LogFile:
    """A file that children append to."""

    path: Path

    def open(self) -> FileIO:
        """To hand to a child; the caller closes its own copy."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        return os.fdopen(os.open(self.path, flags, 0o600), "ab", buffering=0)

    def size(self) -> int:
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def since(self, offset: int) -> list[str]:
        """The lines after `offset`, at most the last `TAIL_BYTES` of them."""
        with self.path.open("rb") as file:
            file.seek(max(offset, self.size() - TAIL_BYTES))
            return file.read().decode("utf-8", errors="replace").splitlines()

    def rotate(self) -> None:
        """Copy and truncate a file that has grown too large; children append on, what they write between is lost."""
        if self.size() > BYTES_MAX:
            shutil.copyfile(self.path, self.path.with_suffix(".log.1"))
            os.truncate(self.path, 0)
