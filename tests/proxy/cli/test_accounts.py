"""`quota-proxy accounts`, as an operator types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from proxy.cli import main

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


def accounts(*arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(main, ["accounts", *arguments], input=stdin)


def listed() -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(accounts("list", "--json").stdout)
    return found


def test_an_account_is_added_listed_paused_resumed_and_removed() -> None:
    assert accounts("add", "one", *BASE, *KEY).exit_code == 0
    assert [(account["name"], account["state"]) for account in listed()] == [("one", "active")]
    accounts("pause", "one")
    assert listed()[0]["state"] == "paused"
    accounts("resume", str(listed()[0]["account_id"]))
    assert listed()[0]["state"] == "active"
    assert accounts("remove", "one").exit_code == 0
    assert listed() == []


def test_no_listing_shows_a_secret() -> None:
    accounts("add", "one", *BASE, *KEY)
    accounts("add", "two", *BASE, *TOKENS)
    shown = accounts("list").output + accounts("list", "--json").output
    assert "one" in shown
    assert "two" in shown
    assert "secret" not in shown
    assert "sealed" not in shown


def test_secrets_given_as_a_dash_are_read_from_standard_input_line_by_line() -> None:
    tokens = ("--access-token", "-", "--refresh-token", "-", "--token-url", "https://auth.example/t")
    assert accounts("add", "one", *BASE, *tokens, stdin="access\nrefresh\n").exit_code == 0
    assert listed()[0]["kind"] == "oauth"
    missing = accounts("add", "two", *BASE, "--api-key", "-", stdin="")
    assert missing.exit_code == 1
    assert "give --api-key" in missing.stderr


def test_an_auth_json_of_codex_is_imported(tmp_path: Path) -> None:
    file = tmp_path / "auth.json"
    file.write_text(json.dumps({"tokens": {"access_token": "access-secret", "refresh_token": "refresh-secret"}}))
    imported = accounts("import", str(file), "--name", "mine")
    assert imported.exit_code == 0
    assert "codex login" in imported.output
    assert [(account["name"], account["kind"]) for account in listed()] == [("mine", "oauth")]


def test_the_demo_account_yields_to_a_real_one_and_does_not_come_back_by_itself() -> None:
    demo = ("ensure-demo", "--base-url", "http://127.0.0.1:8070/v1")
    assert accounts(*demo).stdout == "serving\n"
    assert [account["is_demo"] for account in listed()] == [True]
    accounts("add", "one", *BASE, *KEY)
    assert [account["is_demo"] for account in listed()] == [False]
    assert accounts(*demo).stdout == "not needed\n"
    accounts("remove", "one")
    assert listed() == []
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
def test_a_refused_change_is_one_line_that_says_why(arguments: tuple[str, ...], says: str) -> None:
    refused = accounts(*arguments)
    assert refused.exit_code == 1
    assert says in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert "secret" not in refused.stderr


def test_a_taken_name_is_refused() -> None:
    accounts("add", "one", *BASE, *KEY)
    taken = accounts("add", "one", *BASE, *KEY)
    assert (taken.exit_code, "exists" in taken.stderr) == (1, True)


def test_a_second_key_is_refused_before_it_splits_the_accounts(data_dir: Path) -> None:
    accounts("add", "one", *BASE, *KEY)
    (data_dir / "proxy.key").unlink()
    refused = accounts("add", "two", *BASE, *KEY)
    assert refused.exit_code == 2
    assert "encrypted with another key than that in the key file" in refused.stderr
    assert len(listed()) == 1


def test_without_a_database_the_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROXY_DATABASE_URL")
    refused = accounts("list")
    assert (refused.exit_code, len(refused.stderr.splitlines())) == (2, 1)
    assert "PROXY_DATABASE_URL" in refused.stderr


def test_the_database_of_a_running_stack_is_found(
    monkeypatch: pytest.MonkeyPatch, data_dir: Path, database_url: str
) -> None:
    monkeypatch.delenv("PROXY_DATABASE_URL")
    data_dir.mkdir()
    stack = {"database_url": database_url, "quotad": "127.0.0.1:1", "quotad_data_token": "t"}
    (data_dir / "stack.json").write_text(json.dumps(stack))
    assert accounts("add", "one", *BASE, *KEY).exit_code == 0
    assert (data_dir / "proxy.key").exists()
