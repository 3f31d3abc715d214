"""The worker as a process: how it refuses to start, and how it stops."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

from servicekit.listening import Listen, bind
from tests.support.commands import NO_DATABASE, Ended, assert_could_not_begin, run_command, taken_address
from tests.support.postgres import Server
from tests.support.processes import REPOSITORY, command, running
from tests.support.stack import clean_environment


def start(arguments: list[str], settings: Mapping[str, str], directory: Path) -> Ended:
    return run_command("quota-proxy", *arguments, settings=settings, directory=directory)


@pytest.mark.parametrize(
    ("arguments", "settings", "said"),
    [
        (["serve"], {}, "PROXY_DATABASE_URL: not set"),
        (["serve"], {"PROXY_STREAMS_MAX": "many"}, "PROXY_STREAMS_MAX: "),
        (["serve", "--listen", "nowhere"], {}, "PROXY_LISTEN: "),
        (["serve"], {"PROXY_DATABASE_URL": "mysql://x/y"}, "PROXY_DATABASE_URL: "),
        (["serve", "--listen", "0.0.0.0:0"], {"PROXY_DATABASE_URL": NO_DATABASE}, "not a loopback address"),
        (
            ["serve", "--listen", "0.0.0.0:0"],
            {"PROXY_DATABASE_URL": NO_DATABASE, "PROXY_KEY_AUTH": "off"},
            "PROXY_KEY_AUTH=off needs a loopback address",
        ),
        (["serve", "--listen", "127.0.0.1:0"], {"PROXY_DATABASE_URL": NO_DATABASE}, "none cannot be used: "),
        (["migrate"], {"PROXY_DATABASE_URL": NO_DATABASE}, "none cannot be used: "),
    ],
)
def test_a_start_that_cannot_work_ends_in_one_clear_line(
    arguments: list[str], settings: dict[str, str], said: str, tmp_path: Path
) -> None:
    assert_could_not_begin(start(arguments, settings, tmp_path), "quota-proxy", said)


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with taken_address() as address:
        done = start(["serve", "--listen", address], {"PROXY_DATABASE_URL": NO_DATABASE}, tmp_path)
    assert_could_not_begin(done, "quota-proxy", f"cannot listen on {address} (PROXY_LISTEN)")


def test_a_worker_starts_without_quotad_and_stops_on_a_signal(database_url: str, tmp_path: Path) -> None:
    listener = bind(Listen("127.0.0.1", 0), setting="test")
    port = listener.getsockname()[1]
    listener.close()
    environment = {
        **clean_environment(),
        "PROXY_DATABASE_URL": database_url,
        "PROXY_QUOTAD_ADDRESS": "127.0.0.1:1",
        "PROXY_KEY_FILE": str(tmp_path / "proxy.key"),
        "PROXY_LISTEN": f"127.0.0.1:{port}",
    }
    with running([command("quota-proxy"), "serve"], tmp_path / "log", env=environment, cwd=REPOSITORY) as process:
        process.wait_for_output("proxy started")
        process.signal(signal.SIGTERM)
        assert process.wait() == 0
        assert "proxy stopped" in process.output
        assert "Traceback" not in process.output


def test_an_unmigrated_database_is_refused(postgres_server: Server, tmp_path: Path) -> None:
    done = start(["serve", "--listen", "127.0.0.1:0"], {"PROXY_DATABASE_URL": postgres_server.url}, tmp_path)
    assert_could_not_begin(done, "quota-proxy", "run its migrate command")
