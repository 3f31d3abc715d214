"""Running the database server as another user when `quotad up` runs as root.

Postgres refuses to run as root. Its user need not be able to reach the data directory (it may lie below /root):
the server gets the directories that it needs as open handles and names them `/proc/self/fd/N`. So no mode or owner
outside of the data directory is ever changed.
"""

from __future__ import annotations

import os
import pwd
import sys
from pathlib import Path

from quotad.stack.commands import Identity
from quotad.stack.errors import StackError

USERS = ("postgres", "nobody")


def server_identity(cluster: Path) -> Identity | None:
    """The user for the server: the owner of an existing cluster, else a system user; None where we are not root."""
    if os.geteuid() != 0:
        return None
    if not sys.platform.startswith("linux"):
        raise StackError("the embedded Postgres cannot run as root here: run this as an ordinary user")
    if cluster.exists() and (owner := cluster.stat().st_uid) != 0:
        return Identity(owner, cluster.stat().st_gid)
    for name in USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Identity(entry.pw_uid, entry.pw_gid)
    raise StackError("as root the embedded Postgres needs a user named postgres or nobody: none is there")


class Handle:
    """A directory or file by the name under which the server's user can use it. Open until `close`."""

    def __init__(self, path: Path, identity: Identity | None) -> None:
        self._fd: int | None = None
        self._path = path
        if identity is not None:
            self._fd = os.open(path, os.O_RDONLY)
            os.fchown(self._fd, identity.uid, identity.gid)

    @property
    def name(self) -> str:
        return str(self._path) if self._fd is None else f"/proc/self/fd/{self._fd}"

    @property
    def fds(self) -> tuple[int, ...]:
        return () if self._fd is None else (self._fd,)

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
