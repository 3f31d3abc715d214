"""The data directory: what lies where, and that one `quotad up` at a time works in it."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from quotad.stack.errors import StackError
from servicekit.stackfile import NAME as STACK_FILE


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """Paths inside an absolute `path`."""

    path: Path

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def children(self) -> Path:
        """The pid file: which processes an `up` has started."""
        return self.path / "children.json"

    @property
    def stack_file(self) -> Path:
        return self.path / STACK_FILE

    @property
    def key_file(self) -> Path:
        return self.path / "proxy.key"

    @property
    def dashboard_key_file(self) -> Path:
        return self.path / "dashboard.key"

    @property
    def outbox(self) -> Path:
        """What the proxies have settled and not delivered."""
        return self.path / "outbox"


@contextlib.contextmanager
def hold(path: Path) -> Iterator[DataDirectory]:
    """Make the directory where needed and keep every other `up` out of it; raises `StackError`."""
    directory = DataDirectory(path.absolute())
    try:
        directory.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.logs.mkdir(mode=0o700, exist_ok=True)
        lock = (directory.path / "up.pid").open("a+", encoding="ascii")
    except OSError as exc:
        raise StackError(
            f"the data directory {path} cannot be used: {exc.strerror}; choose another with --data-dir"
        ) from exc
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            lock.seek(0)
            raise StackError(
                f"the data directory {path} is in use by another `quotad up` (process {lock.read().strip()}): "
                f"stop that one, or choose another directory with --data-dir"
            ) from exc
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield directory


def write_private(path: Path, content: str) -> None:
    """Put `content` at `path` with mode 0600, whole or not at all."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def outside(data_directory: Path, purpose: str) -> Path:
    """A short path in the temporary directory, the same one at each start from `data_directory`."""
    digest = hashlib.sha256(os.fsencode(data_directory)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"quota-{os.geteuid()}-{digest}-{purpose}"
