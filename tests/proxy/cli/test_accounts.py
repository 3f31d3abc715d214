"""`quota-proxy accounts`, as an operator types it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from proxy.cli import main
from tests.support.commands import Ended, InProcess

Accounts = Callable[..., Ended]

KEY = ("--api-key", "sk-operator-secret")
BASE = ("--base-url", "https://api.example/v1")
TOKENS = (
    "--access-token",
    "access-secret",
    "--refresh-token",
    "refresh-secret",
    "--token-url",
    "https://auth.example/t",
)


@pytest.fixture(autouse=True)
def data_dir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str) -> Path:
    for name in ("PROXY_KEY_FILE", "PROXY_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QUOTA_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("PROXY_DATABASE_URL", database_url)
    return tmp_path / "data"


@pytest.fixture
def accounts(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Accounts:
    run = InProcess("quota-proxy", main, monkeypatch, capfd)
    return lambda *arguments, stdin="": run("accounts", *arguments, stdin=stdin)


def listed(accounts: Accounts) -> list[dict[str, object]]:
    found: list[dict[str, object]] = accounts("list", "--json").json
    return found


def test_an_account_is_added_listed_paused_resumed_and_removed(accounts: Accounts) -> None:
    assert accounts("add", "one", *BASE, *KEY).code == 0
    assert [(account["name"], account["state"]) for account in listed(accounts)] == [("one", "active")]
    accounts("pause", "one")
    assert listed(accounts)[0]["state"] == "paused"
    accounts("resume", str(listed(accounts)[0]["account_id"]))
    assert listed(accounts)[0]["state"] == "active"
    assert accounts("remove", "one").code == 0
    assert listed(accounts) == []


def test_no_listing_shows_a_secret(accounts: Accounts) -> None:
    accounts("add", "one", *BASE, *KEY)
    accounts("add", "two", *BASE, *TOKENS)
    shown = accounts("list").stdout + accounts("list", "--json").stdout
    assert "one" in shown
    assert "two" in shown
    assert "secret" not in shown
    assert "sealed" not in shown


def test_secrets_given_as_a_dash_are_read_from_standard_input_line_by_line(accounts: Accounts) -> None:
    tokens = ("--access-token", "-", "--refresh-token", "-", "--token-url", "https://auth.example/t")
    assert accounts("add", "one", *BASE, *tokens, stdin="access\nrefresh\n").code == 0
    assert listed(accounts)[0]["kind"] == "oauth"
    missing = accounts("add", "two", *BASE, "--api-key", "-", stdin="")
    assert missing.code == 1
    assert "give --api-key" in missing.stderr


def test_an_auth_json_of_codex_is_imported(accounts: Accounts, tmp_path: Path) -> None:
    file = tmp_path / "auth.json"
    file.write_text(json.dumps({"tokens": {"access_token": "access-secret", "refresh_token": "refresh-secret"}}))
    imported = accounts("import", str(file), "--name", "mine")
    assert imported.code == 0
    assert "codex login" in imported.stdout
    assert [(account["name"], account["kind"]) for account in listed(accounts)] == [("mine", "oauth")]


def test_the_demo_account_yields_to_a_real_one_and_does_not_come_back_by_itself(accounts: Accounts) -> None:
    demo = ("ensure-demo", "--base-url", "http://127.0.0.1:8070/v1")
    assert accounts(*demo).stdout == "serving\n"
    assert [account["is_demo"] for account in listed(accounts)] == [True]
    accounts("add", "one", *BASE, *KEY)
    assert [account["is_demo"] for account in listed(accounts)] == [False]
    assert accounts(*demo).stdout == "not needed\n"
    accounts("remove", "one")
    assert listed(accounts) == []
    assert accounts(*demo).stdout == "serving\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("add", "one", "--base-url", "nowhere", *KEY), "the base url must be like https://host/path"),
        (("add", "one", *BASE), "give --api-key, or --access-token with --refresh-token"),
        (("add", "one", *BASE, *KEY, *TOKENS), "not both"),
        (("add", "one", *BASE, "--access-token", "a"), "give --api-key, or --access-token with --refresh-token"),
        (("add", "one", *BASE, "--access-token", "a", "--refresh-token", "r"), "needs a token URL"),
        (("import", "none.json"), "cannot read none.json: No such file"),
        (("pause", "nobody"), "there is no account 'nobody'"),
        (("remove", "nobody"), "there is no account 'nobody'"),
    ],
)
def test_a_refused_change_is_one_line_that_says_why(accounts: Accounts, arguments: tuple[str, ...], says: str) -> None:
    refused = accounts(*arguments)
    assert refused.code == 1
    assert says in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert "secret" not in refused.stderr


def test_a_taken_name_is_refused(accounts: Accounts) -> None:
    accounts("add", "one", *BASE, *KEY)
    taken = accounts("add", "one", *BASE, *KEY)
    assert (taken.code, "exists" in taken.stderr) == (1, True)


def test_a_second_key_is_refused_before_it_splits_the_accounts(accounts: Accounts, data_dir: Path) -> None:
    accounts("add", "one", *BASE, *KEY)
    (data_dir / "proxy.key").unlink()
    refused = accounts("add", "two", *BASE, *KEY)
    assert refused.code == 2
    assert "encrypted with another key than that in the key file" in refused.stderr
    assert len(listed(accounts)) == 1


def test_without_a_database_the_setting_is_named(accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROXY_DATABASE_URL")
    refused = accounts("list")
    assert (refused.code, len(refused.stderr.splitlines())) == (2, 1)
    assert "PROXY_DATABASE_URL" in refused.stderr


def test_the_database_of_a_running_stack_is_found(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch, data_dir: Path, database_url: str
) -> None:
    monkeypatch.delenv("PROXY_DATABASE_URL")
    data_dir.mkdir()
    stack = {"database_url": database_url, "quotad": "127.0.0.1:1", "quotad_data_token": "t"}
    (data_dir / "stack.json").write_text(json.dumps(stack))
    assert accounts("add", "one", *BASE, *KEY).code == 0
    assert (data_dir / "proxy.key").exists()


def test_the_listing_shows_windows_their_age_and_the_last_error(accounts: Accounts, database_url: str) -> None:
    accounts("add", "one", *BASE, *KEY)
    account_id = listed(accounts)[0]["account_id"]
    statements = (
        "INSERT INTO proxy.usage_samples (sample_id, account_id, usage_window, used_percent, window_minutes,"
        " reset_time, sample_time, source) VALUES (gen_random_uuid(), '{0}', 'primary', 41.6, 300,"
        " now() + interval '1 hour', now() - interval '3 minutes', 'fetch')",
        "INSERT INTO proxy.account_standings VALUES ('{0}', 1, now(), now(), 'upstream_error: it broke', now())",
        "INSERT INTO proxy.usage_fetches VALUES ('{0}', now(), 'status 500')",
    )
    asyncio.run(execute(database_url, [statement.format(account_id) for statement in statements]))
    shown = " ".join(accounts("list").stdout.split())
    assert "42%" in shown
    account = listed(accounts)[0]
    assert account["last_error"] == "upstream_error: it broke; usage: status 500"
    windows = account["windows"]
    assert isinstance(windows, dict)
    assert (windows["primary"]["used_percent"], windows["primary"]["window_minutes"]) == (41.6, 300)
    assert 180 <= windows["primary"]["age_seconds"] < 240


async def execute(database_url: str, statements: list[str]) -> None:
    connection = await asyncpg.connect(database_url)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()
