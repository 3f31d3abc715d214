"""The embedded server, in pytest's temporary directory, which no other user can enter."""

from __future__ import annotations

import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import psutil
import pytest

from quotad.stack.errors import StackError
from quotad.stack.postgres import Cluster, open_cluster
from tests.support.waiting import eventually_now

QUICK = {"fsync": "off"}


@contextmanager
def serving(cluster: Cluster, log: Path, stop: signal.Signals = signal.SIGTERM) -> Iterator[psutil.Process]:
    command = cluster.command()
    with log.open("ab") as output:
        server = subprocess.Popen(command.argv, stdout=output, stderr=output, **command.spawn_arguments())
    try:
        eventually_now(lambda: cluster.is_ready() or ended(server, log), 40.0)
        yield psutil.Process(server.pid)
    finally:
        server.send_signal(stop)
        server.wait(20.0)
        cluster.close()


def ended(server: subprocess.Popen[bytes], log: Path) -> bool:
    assert server.poll() is None, f"Postgres ended with {server.returncode}:\n{log.read_text('utf-8')}"
    return False


async def ask(url: str, query: str) -> object:
    connection = await asyncpg.connect(url, timeout=5.0)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_the_server_is_private_and_durable(tmp_path: Path) -> None:
    cluster = open_cluster(tmp_path, None, "right")
    with serving(cluster, tmp_path / "log") as process:
        assert process.uids().real != 0
        assert stat.S_IMODE(cluster.directory.stat().st_mode) == 0o700
        assert stat.S_IMODE(cluster.socket_directory.stat().st_mode) == 0o700
        assert await ask(cluster.database_url("right"), "SHOW fsync") == "on"
        assert await ask(cluster.database_url("right"), "SHOW listen_addresses") == ""
        assert not [c for c in process.net_connections() if c.family.name.startswith("AF_INET")]
        with pytest.raises(asyncpg.InvalidPasswordError):
            await ask(cluster.database_url("wrong"), "SELECT 1")


async def test_a_cluster_is_opened_again_with_its_data_even_where_its_password_was_lost(tmp_path: Path) -> None:
    first = open_cluster(tmp_path, None, "lost", QUICK)
    with serving(first, tmp_path / "log"):
        await ask(first.database_url("lost"), "CREATE TABLE kept ()")
    again = open_cluster(tmp_path, None, "new", QUICK)
    with serving(again, tmp_path / "log"):
        assert await ask(again.database_url("new"), "SELECT count(*) FROM kept") == 0


async def test_what_was_committed_survives_a_kill(tmp_path: Path) -> None:
    for turn in range(2):
        cluster = open_cluster(tmp_path, "right", "right")
        with serving(cluster, tmp_path / "log", stop=signal.SIGKILL):  # leaves a pid file that says "ready"
            url = cluster.database_url("right")
            await ask(url, f"CREATE TABLE turn_{turn} ()")
            assert await ask(url, "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'turn_%'") == turn + 1


def test_another_version_or_what_is_no_cluster_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "notes").touch()
    with pytest.raises(StackError, match="holds no Postgres cluster: move it away"):
        open_cluster(tmp_path, None, "right", QUICK)
    (tmp_path / "postgres" / "PG_VERSION").write_text("15\n")
    with pytest.raises(StackError, match="was made by Postgres 15; this program has 18, 16"):
        open_cluster(tmp_path, None, "right", QUICK)


async def test_a_path_too_long_for_a_socket_gets_a_short_one_that_goes_again(tmp_path: Path) -> None:
    parent = tmp_path / ("long" * 30)
    parent.mkdir()
    cluster = open_cluster(parent, None, "right", QUICK)
    with serving(cluster, tmp_path / "log"):
        assert stat.S_IMODE(cluster.socket_directory.stat().st_mode) == 0o700
        assert await ask(cluster.database_url("right"), "SELECT 1") == 1
    assert not cluster.socket_directory.exists()


def test_no_mode_outside_of_the_data_directory_changes(tmp_path: Path) -> None:
    outside = [tmp_path, *tmp_path.parents]
    before = [(path, path.stat().st_mode, path.stat().st_uid) for path in outside]
    (tmp_path / "data").mkdir(mode=0o700)
    open_cluster(tmp_path / "data", None, "right", QUICK).close()
    assert [(path, path.stat().st_mode, path.stat().st_uid) for path in outside] == before
