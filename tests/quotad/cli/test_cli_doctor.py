"""`quotad doctor` on real databases and beside real daemons. Those of the tests are not durable, so that it fails."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.quotad.cli.conftest import Run
from tests.quotad.cli.test_cli_daemon import execute
from tests.support.commands import Ended, run_command
from tests.support.daemons import ADMIN_TOKEN, DATA_TOKEN, Daemon, quotad
from tests.support.processes import command, running
from tests.support.stack import clean_environment


async def examined(daemon: Daemon, directory: Path, **settings: str) -> Ended:
    """Its report as JSON, as a process beside the daemon."""
    beside = {
        "QUOTAD_DATABASE_URL": daemon.database_url,
        "QUOTAD_LISTEN": daemon.address,
        "QUOTAD_METRICS_LISTEN": daemon.running.metrics_address,
        "QUOTAD_ADDRESS": daemon.address,
        "QUOTAD_TOKEN": ADMIN_TOKEN,
        **settings,
    }
    return await asyncio.to_thread(run_command, "quotad", "doctor", "--json", settings=beside, directory=directory)


def finding(ended: Ended, check: str) -> dict[str, Any]:
    found: dict[str, Any] = next(finding for finding in ended.json if finding["check"] == check)
    return found


async def test_everything_about_a_running_daemon_is_well_but_the_tests_own_haste(
    database_url: str, tmp_path: Path
) -> None:
    async with quotad(database_url) as daemon:
        ended = await examined(daemon, tmp_path)
    bad = [found["check"] for found in ended.json if found["verdict"] != "ok"]
    assert set(bad) == {"durability"}, ended.stdout
    assert ended.code == 1
    assert ended.stderr.startswith("quotad: 3 of ")
    assert finding(ended, "daemon")["said"] == f"{daemon.address} serves"
    assert finding(ended, "tokens")["said"] == "1 of role data, 1 of role admin"


async def test_a_daemon_that_is_named_and_does_not_answer_fails(database_url: str, tmp_path: Path) -> None:
    async with quotad(database_url) as daemon:
        away = await examined(daemon, tmp_path, QUOTAD_ADDRESS="127.0.0.1:1")
    assert (finding(away, "daemon")["verdict"], "127.0.0.1:1" in finding(away, "daemon")["said"]) == ("fail", True)


@pytest.mark.parametrize(("token", "verdict"), [("", "warn"), (DATA_TOKEN, "warn"), ("a-token-of-a-stranger", "fail")])
async def test_a_token_that_cannot_edit_is_told_and_never_shown(
    database_url: str, tmp_path: Path, token: str, verdict: str
) -> None:
    async with quotad(database_url) as daemon:
        ended = await examined(daemon, tmp_path, QUOTAD_TOKEN=token)
    assert finding(ended, "token of commands")["verdict"] == verdict
    assert not token or token not in ended.stdout + ended.stderr


async def test_leases_that_nobody_expires_are_found(database_url: str, tmp_path: Path) -> None:
    async with quotad(database_url) as daemon:
        key = await daemon.create_key()
        async with daemon.data() as client:
            await client.reserve("one", api_key=key.secret, model="m", amounts={"total_tokens": 1})
        ended = await examined(daemon, tmp_path)
    assert finding(ended, "leases")["verdict"] == "ok"
    await execute(database_url, "UPDATE quotad.reservations SET expire_time = clock_timestamp() - interval '1 hour'")
    ended = await examined(daemon, tmp_path)
    assert finding(ended, "leases")["said"] == "1 open reservations are past their lease"
    assert finding(ended, "port QUOTAD_LISTEN")["verdict"] == "ok"


def test_a_database_that_cannot_be_used_is_one_finding_and_tells_no_password(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUOTAD_DATABASE_URL", "postgresql://quota:hidden-word@127.0.0.1:1/quota")
    ended = run("doctor")
    assert ended.code == 1
    assert "cannot be used" in ended.stdout
    assert "see that Postgres runs" in ended.stdout
    assert "hidden-word" not in ended.stdout + ended.stderr


def test_a_schema_of_another_version_is_found(run: Run, monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
    asyncio.run(execute(database_url, "UPDATE quotad.alembic_version SET version_num = '9999'"))
    asyncio.run(execute(database_url, "DROP SCHEMA dashboard CASCADE"))
    monkeypatch.setenv("QUOTAD_DATABASE_URL", database_url)
    ended = run("doctor", "--json")
    assert "version 9999, this program needs" in finding(ended, "schema quotad")["said"]
    assert finding(ended, "schema dashboard")["said"] == "absent from this database"


def test_a_wrong_setting_is_a_finding(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUOTAD_QUEUE_MAX", "many")
    ended = run("doctor", "--json")
    assert (ended.code, finding(ended, "settings")["verdict"]) == (1, "fail")
    assert "QUOTAD_QUEUE_MAX" in finding(ended, "settings")["said"]


def test_a_daemon_warns_at_its_start_where_settlements_could_be_lost(database_url: str, tmp_path: Path) -> None:
    argv = [command("quotad"), "serve", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"]
    env = {**clean_environment(), "QUOTAD_DATABASE_URL": database_url}
    with running(argv, tmp_path / "log", env=env, cwd=tmp_path) as process:
        output = process.wait_for_output("quotad is ready")
    assert "fsync is off" in output
    assert "synchronous_commit is off" in output
