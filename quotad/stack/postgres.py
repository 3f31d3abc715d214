"""The embedded Postgres: a cluster of our own in the data directory, reached through a private socket alone.

Every connection needs a password (scram-sha-256), there is no TCP listener, the socket's directory has mode 0700,
and what was committed is on the disk (`fsync` stays on).
"""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

from quotad.stack.binaries import Binaries, find_binaries
from quotad.stack.commands import Command, Identity
from quotad.stack.datadir import outside
from quotad.stack.errors import StackError
from quotad.stack.unprivileged import Handle, server_identity

ROLE = "quota"
DATABASE = "quota"
SOCKET = ".s.PGSQL.5432"
SOCKET_DIRECTORY_BYTES_MAX = 103 - len(SOCKET) - 1
"""A socket's path has at most 103 bytes on every system."""
PROBE_SECONDS_MAX = 1.0
MAKE_SECONDS_MAX = 120.0
SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "jit": "off",
    "log_timezone": "UTC",
}
"""For a machine of two cores and a few GB; short statements gain nothing from jit."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster on the disk that `command` serves."""

    directory: Path
    socket_directory: Path
    binaries: Binaries
    identity: Identity | None
    data: Handle
    sockets: Handle
    settings: Mapping[str, str]
    """Beyond `SETTINGS`."""

    def command(self) -> Command:
        """The server in the foreground; SIGINT is its fast and clean stop."""
        settings = {**SETTINGS, "unix_socket_directories": self.sockets.name, **self.settings}
        argv = (self.binaries.postgres, "-D", self.data.name, *_options(settings))
        return _command(argv, self.identity, self.data, self.sockets)

    def is_ready(self) -> bool:
        """True once the server listens and says in its pid file that it takes connections.

        A killed server leaves such a file, too; one that listens has written its own.
        """
        try:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(PROBE_SECONDS_MAX)
                probe.connect(str(self.socket_directory / SOCKET))
            lines = (self.directory / "postmaster.pid").read_text("utf-8").splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready"

    def database_url(self, password: str, database: str = DATABASE) -> str:
        host = quote(str(self.socket_directory), safe="/")
        return f"postgresql://{ROLE}:{quote(password)}@/{database}?host={host}"

    def execute(self, statement: str) -> None:
        """Run one statement on the stopped cluster, in single-user mode, without a password."""
        settings = {**self.settings, "exit_on_error": "on", "log_min_error_statement": "panic"}  # it may hold a secret
        argv = (self.binaries.postgres, "--single", "-D", self.data.name, *_options(settings), "postgres")
        _run(_command(argv, self.identity, self.data), statement)

    def close(self) -> None:
        """Forget the handles and remove what lies outside of the data directory; the server must have stopped."""
        self.data.close()
        self.sockets.close()
        self.binaries.remove()
        if self.socket_directory.parent != self.directory.parent:
            shutil.rmtree(self.socket_directory, ignore_errors=True)


def open_cluster(
    parent: Path, password: str | None, new_password: str, settings: Mapping[str, str] = MappingProxyType({})
) -> Cluster:
    """The cluster `parent/postgres`, made where there is none; afterwards its password is `password or new_password`.

    `password` is what an earlier start noted down; None where that is lost, then the role gets `new_password`.
    Raises `StackError`.
    """
    directory = parent / "postgres"
    identity = server_identity(directory)
    with ExitStack() as undo:
        binaries = find_binaries(directory, identity, outside(parent, "postgres"))
        undo.callback(binaries.remove)
        socket_directory = _socket_directory(parent, identity)
        exists = (directory / "PG_VERSION").exists()
        if not exists:
            _initialise(directory, binaries, identity, password or new_password, settings)
        data, sockets = Handle(directory, identity), Handle(socket_directory, identity)
        cluster = Cluster(directory, socket_directory, binaries, identity, data, sockets, settings)
        undo.callback(cluster.close)
        if exists and password is None:
            cluster.execute(f"ALTER ROLE {ROLE} PASSWORD '{new_password}'")
        undo.pop_all()
    return cluster


def _initialise(
    directory: Path, binaries: Binaries, identity: Identity | None, password: str, settings: Mapping[str, str]
) -> None:
    """Make the cluster beside its place and move it there when it is whole, so that a half-made one is never used."""
    if directory.exists() and any(directory.iterdir()):
        raise StackError(f"{directory} is there and holds no Postgres cluster: move it away")
    draft = directory.with_name(f"{directory.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    password_file = draft.with_suffix(".password")
    password_file.touch(mode=0o600)
    password_file.write_text(f"{password}\n", "ascii")
    data, secret = Handle(draft, identity), Handle(password_file, identity)
    cluster = Cluster(draft, draft, binaries, identity, data, data, settings)
    options = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions"]
    if settings.get("fsync") == "off":
        options.append("--no-sync")
    argv = (binaries.initdb, "-D", data.name, f"--username={ROLE}", f"--pwfile={secret.name}", *options)
    try:
        _run(_command(argv, identity, data, secret))
        cluster.execute(f"CREATE DATABASE {DATABASE}")
    finally:
        data.close()
        secret.close()
        password_file.unlink()
    draft.rename(directory)


def _options(settings: Mapping[str, str]) -> list[str]:
    return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]


def _command(argv: tuple[str, ...], identity: Identity | None, *handles: Handle) -> Command:
    env = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
    return Command(argv, env, pass_fds=tuple(fd for handle in handles for fd in handle.fds), identity=identity)


def _run(command: Command, statement: str | None = None) -> None:
    try:
        subprocess.run(
            command.argv,
            input=statement or "",
            text=True,
            check=True,
            timeout=MAKE_SECONDS_MAX,
            capture_output=True,
            **command.spawn_arguments(),
        )
    except (OSError, subprocess.SubprocessError) as exc:
        said = exc.stderr if isinstance(exc, subprocess.CalledProcessError) else str(exc)
        raise StackError(f"the embedded Postgres cannot be prepared: {' '.join(said.split())[-500:]}") from exc


def _socket_directory(parent: Path, identity: Identity | None) -> Path:
    """`parent/sockets`, or a short path in the temporary directory where that one is too long for a socket."""
    directory = parent / "sockets"
    if len(os.fsencode(directory)) > SOCKET_DIRECTORY_BYTES_MAX:
        directory = outside(parent, "socket")
    directory.mkdir(mode=0o700, exist_ok=True)
    found = directory.lstat()
    owners = {os.geteuid(), identity.uid if identity else os.geteuid()}
    if not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o077 or found.st_uid not in owners:
        raise StackError(f"{directory} must be a directory of mode 0700 of ours, for the database's socket: remove it")
    return directory
