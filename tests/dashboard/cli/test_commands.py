"""The commands as processes: how they refuse to start, what they print, and how the service stops."""

from __future__ import annotations

import getpass
import json
import re
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2
import pyotp
import pytest

from tests.dashboard.world import PASSWORD, SECRET_KEY
from tests.support.commands import NO_DATABASE, Ended, assert_could_not_begin, run_command, taken_address
from tests.support.postgres import Server
from tests.support.processes import RunningProcess, command, running
from tests.support.stack import clean_environment

UNREACHABLE = {"DASHBOARD_DATABASE_URL": NO_DATABASE}
TOKEN_LINE = re.compile(r"^dashboard bootstrap token: (\S+)$", re.MULTILINE)


def run(arguments: list[str], settings: Mapping[str, str], directory: Path, stdin: str = "") -> Ended:
    return run_command("quota-dashboard", *arguments, settings=settings, directory=directory, stdin=stdin)


def service(database_url: str, directory: Path, **settings: str) -> Any:
    environment = {
        **clean_environment(),
        "QUOTA_DATA_DIR": str(directory),
        "DASHBOARD_DATABASE_URL": database_url,
        "DASHBOARD_LISTEN": "127.0.0.1:0",
        **settings,
    }
    return running([command("quota-dashboard"), "serve"], directory / "output", env=environment, cwd=directory)


def url_of(process: RunningProcess) -> str:
    said = process.wait_for_output("dashboard started")
    [line] = [line for line in said.splitlines() if "dashboard started" in line]
    return f"http://{json.loads(line)['listen']}"


@pytest.mark.parametrize(
    ("arguments", "settings", "said"),
    [
        (["serve", "--listen", "0.0.0.0:0"], UNREACHABLE, "not a loopback address"),
        (["serve", "--listen", "127.0.0.1:0"], UNREACHABLE, "cannot be used"),
        (["set-password"], UNREACHABLE, "at least 8 characters"),
    ],
)
def test_a_command_that_cannot_work_ends_in_one_clear_line(
    arguments: list[str], settings: dict[str, str], said: str, tmp_path: Path
) -> None:
    assert_could_not_begin(run(arguments, settings, tmp_path), "quota-dashboard", said)


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with taken_address() as address:
        done = run(["serve", "--listen", address], UNREACHABLE, tmp_path)
    assert_could_not_begin(done, "quota-dashboard", f"cannot listen on {address} (DASHBOARD_LISTEN)")


def test_a_key_that_is_none_is_named(database_url: str, tmp_path: Path) -> None:
    settings = {
        "DASHBOARD_DATABASE_URL": database_url,
        "DASHBOARD_LISTEN": "127.0.0.1:0",
        "DASHBOARD_SECRET_KEY": "hunter2",
    }
    done = run(["serve"], settings, tmp_path)
    assert_could_not_begin(done, "quota-dashboard", "DASHBOARD_SECRET_KEY does not hold a key")
    assert "hunter2" not in done.stderr


def test_a_certificate_that_cannot_be_read_is_named(database_url: str, tmp_path: Path) -> None:
    settings = {"DASHBOARD_DATABASE_URL": database_url, "DASHBOARD_LISTEN": "127.0.0.1:0"}
    done = run(["serve", "--tls-cert", "no.pem", "--tls-key", "no.key"], settings, tmp_path)
    assert_could_not_begin(done, "quota-dashboard", "DASHBOARD_TLS_CERT")


def test_a_database_that_was_not_migrated_is_refused(postgres_server: Server, tmp_path: Path) -> None:
    postgres_server.execute("CREATE DATABASE dashboard_empty")
    settings = {
        "DASHBOARD_DATABASE_URL": postgres_server.url_of("dashboard_empty"),
        "DASHBOARD_LISTEN": "127.0.0.1:0",
    }
    try:
        assert_could_not_begin(run(["serve"], settings, tmp_path), "quota-dashboard", "run its migrate command first")
        assert run(["migrate"], settings, tmp_path).stdout == "the schema dashboard is at version 0002\n"
    finally:
        postgres_server.execute("DROP DATABASE dashboard_empty WITH (FORCE)")


def test_the_bootstrap_token_is_printed_once_at_each_start_until_a_password_is_set(
    database_url: str, tmp_path: Path
) -> None:
    with service(database_url, tmp_path) as process:
        url = url_of(process)
        [token] = TOKEN_LINE.findall(process.output)
        body = {"bootstrapToken": token, "newPassword": PASSWORD}
        assert httpx2.post(f"{url}/api/auth/password", json=body).status_code == 200
        assert process.output.count(token) == 1
    with service(database_url, tmp_path) as process:
        url_of(process)
        assert "bootstrap token" not in process.output


def test_the_service_starts_without_quotad_and_stops_on_a_signal(database_url: str, tmp_path: Path) -> None:
    with service(database_url, tmp_path, DASHBOARD_QUOTAD_ADDRESS="127.0.0.1:1") as process:
        url = url_of(process)
        assert httpx2.get(f"{url}/healthz").json() == {"status": "ok"}
        [metrics] = re.findall(r'"metrics_listen": "([^"]+)"', process.output)
        assert httpx2.get(f"http://{metrics}/readyz").text == "ready\n"
        process.signal(signal.SIGTERM)
        assert process.wait() == 0


def test_a_password_set_by_command_ends_all_sessions_and_forgets_failed_attempts(
    database_url: str, tmp_path: Path
) -> None:
    given = {"DASHBOARD_BOOTSTRAP_TOKEN": "a-token-of-mine", "DASHBOARD_ATTEMPTS_PER_ADDRESS_MAX": "1"}
    with service(database_url, tmp_path, **given) as process, httpx2.Client(base_url=url_of(process)) as client:
        first = {"bootstrapToken": "a-token-of-mine", "newPassword": "first password"}
        assert client.post("/api/auth/password", json=first).status_code == 200
        assert client.post("/api/auth/login", json={"password": "wrong"}).status_code == 401
        assert client.post("/api/auth/login", json={"password": "first password"}).status_code == 429
        done = run(["set-password"], {"DASHBOARD_DATABASE_URL": database_url}, tmp_path, f"{PASSWORD}\n")
        assert (done.code, done.stdout) == (0, "the password is set; all sessions have ended\n")
        assert client.get("/api/auth/session").json()["authenticated"] is False
        assert client.post("/api/auth/login", json={"password": PASSWORD}).status_code == 200
        assert "use the token of DASHBOARD_BOOTSTRAP_TOKEN" in process.output
        assert "a-token-of-mine" not in process.output
        assert PASSWORD not in process.output


def test_who_lost_phone_and_codes_turns_one_time_passwords_off_by_command(database_url: str, tmp_path: Path) -> None:
    """What was done, and by which user of the machine, is in the audit log."""
    given = {"DASHBOARD_BOOTSTRAP_TOKEN": "a-token-of-mine", "DASHBOARD_SECRET_KEY": SECRET_KEY}
    only_database = {"DASHBOARD_DATABASE_URL": database_url}
    with service(database_url, tmp_path, **given) as process, httpx2.Client(base_url=url_of(process)) as client:
        first = {"bootstrapToken": "a-token-of-mine", "newPassword": PASSWORD}
        client.headers["X-CSRF-Token"] = client.post("/api/auth/password", json=first).json()["csrfToken"]
        secret = client.post("/api/auth/totp/setup").json()["secret"]
        assert client.post("/api/auth/totp/confirm", json={"code": pyotp.TOTP(secret).now()}).status_code == 200

        assert run(["set-password"], only_database, tmp_path, f"{PASSWORD}\n").code == 0
        assert client.post("/api/auth/login", json={"password": PASSWORD}).json()["totpDue"] is True

        done = run(["set-password", "--turn-off-totp"], only_database, tmp_path, f"{PASSWORD}\n")
        assert done.stdout == "the password is set; all sessions have ended\none-time passwords are turned off\n"
        assert client.post("/api/auth/login", json={"password": PASSWORD}).json()["authenticated"] is True
        found = client.get("/api/audit", params={"source": "dashboard"}).json()["entries"]
    by_command = [(one["action"], one["resourceKind"]) for one in found if one["actor"] == f"os:{getpass.getuser()}"]
    assert by_command == [("delete", "totp"), ("update", "password"), ("update", "password")]
