"""Commands run in this process, against a daemon in another one."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from quotad.cli import main
from tests.support import postgres
from tests.support.commands import Ended, InProcess
from tests.support.daemons import ADMIN_TOKEN, DATA_TOKEN
from tests.support.processes import command, running

READY = re.compile(r'"address": "([^"]+)"')


Run = Callable[..., Ended]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run `quotad` with these arguments, away from any `.env` and any running stack."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QUOTA_DATA_DIR", str(tmp_path / "data"))

    return InProcess("quotad", main, monkeypatch, capfd)


@pytest.fixture(scope="module")
def daemon_address(
    postgres_server: postgres.Server, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """`host:port` of a daemon on a database of the module's own; it must end well on SIGTERM."""
    directory = tmp_path_factory.mktemp("daemon")
    with postgres.database(postgres_server, template_database) as url:
        env = {
            "QUOTAD_DATABASE_URL": url,
            "QUOTAD_BOOTSTRAP_DATA_TOKEN": DATA_TOKEN,
            "QUOTAD_BOOTSTRAP_ADMIN_TOKEN": ADMIN_TOKEN,
        }
        argv = [command("quotad"), "serve", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"]
        with running(argv, directory / "log", env=env, cwd=directory) as process:
            found = READY.search(process.wait_for_output("quotad is ready"))
            assert found is not None
            yield found.group(1)
            process.signal(signal.SIGTERM)
            assert process.wait() == 0
            assert DATA_TOKEN not in process.output


@pytest.fixture
def keys(run: Run, daemon_address: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`quotad keys …` as an operator beside that daemon."""
    monkeypatch.setenv("QUOTAD_ADDRESS", daemon_address)
    monkeypatch.setenv("QUOTAD_TOKEN", ADMIN_TOKEN)
    return lambda *arguments: run("keys", *arguments)
