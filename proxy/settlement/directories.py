"""Whose outbox is whose: a directory belongs to the process that holds its lock, and to nobody once that has died.

<outbox>/<worker>/lock, 000000000001.journal, ...
<outbox>/set-aside/<worker>.jsonl
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from uuid_utils import uuid7

from proxy.settlement.segments import MODE, sync_directory

LOCK = "lock"
SET_ASIDE = "set-aside"
DIRECTORY_MODE = 0o700


@dataclass(frozen=True, slots=True)
class HeldDirectory:
    """A directory that this process alone reads and writes, until it lets go or dies."""

    path: Path
    descriptor: int

    def release(self) -> None:
        """Let go; an empty directory is removed."""
        try:
            if not any(path.name != LOCK for path in self.path.iterdir()):
                (self.path / LOCK).unlink(missing_ok=True)
                self.path.rmdir()
        except FileNotFoundError:
            return  # somebody was quicker
        finally:
            os.close(self.descriptor)


def make_directory(root: Path) -> HeldDirectory:
    """A directory of this process's own; raises `OSError`."""
    root.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    name = str(uuid7())
    # Under its final name others would find it before it is locked.
    draft = root / f".{name}"
    draft.mkdir(mode=DIRECTORY_MODE)
    descriptor = os.open(draft / LOCK, os.O_RDWR | os.O_CREAT, MODE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path = draft.rename(root / name)
        sync_directory(root)
    except OSError:
        os.close(descriptor)
        raise
    return HeldDirectory(path, descriptor)


def free_directories(root: Path) -> Iterator[HeldDirectory]:
    """Every directory whose process has died, locked for this one; whoever gets it releases it. Raises `OSError`."""
    if not root.is_dir():
        return
    for path in sorted(root.iterdir()):
        if _is_name(path.name) and path.is_dir():
            held = _try_hold(path)
            if held is not None:
                yield held


def _try_hold(path: Path) -> HeldDirectory | None:
    try:
        descriptor = os.open(path / LOCK, os.O_RDWR | os.O_CREAT, MODE)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Another one may have held, emptied and removed it between these two steps.
        is_there = os.path.samestat(os.fstat(descriptor), (path / LOCK).stat())
    except (BlockingIOError, FileNotFoundError):
        is_there = False
    if is_there:
        return HeldDirectory(path, descriptor)
    os.close(descriptor)
    return None


def _is_name(name: str) -> bool:
    try:
        UUID(name)
    except ValueError:
        return False
    return True
