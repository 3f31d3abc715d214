from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.quotad.cli.conftest import Run
from tests.support.daemons import ADMIN_TOKEN, DATA_TOKEN


def test_a_key_is_made_and_shown_as_json(keys: Run) -> None:
    created = keys(
        "create", "json", "--limit", "total_tokens:day:100000", "--limit", "requests:60s:5:gpt-5*", "--json"
    ).json
    assert created["secret"].startswith(created["secret_prefix"])
    shown = keys("show", created["api_key_id"], "--json").json
    tokens, requests = shown.pop("limits")
    assert shown.pop("group_path") == []
    assert shown == {name: value for name, value in created.items() if name not in ("secret", "limits")}
    assert tokens.pop("limit_id")
    assert tokens.pop("window_start").endswith("T00:00:00Z")
    assert tokens.pop("reset_time").endswith("T00:00:00Z")
    assert tokens == {
        "owner": {"api_key_id": created["api_key_id"], "name": "json", "group_id": ""},
        "metric": "total_tokens",
        "window": "day",
        "time_zone": "UTC",
        "model_pattern": "",
        "enforcement": "enforce",
        "max_value": 100000,
        "used": 0,
        "held": 0,
        "available": 100000,
    }
    assert (requests["window"], requests["model_pattern"]) == ("60s", "gpt-5*")


def test_a_key_is_made_and_shown_to_people(keys: Run) -> None:
    created = keys("create", "[people]", "--limit", "requests:lifetime:7", "--model", "gpt-5*")
    assert created.code == 0
    assert "shown this once" in created.stdout
    shown = keys("show", "[people]")
    assert "models gpt-5*" in shown.stdout
    assert "never" in shown.stdout
    assert "sk-quota-" not in shown.stdout
    assert "[people]" in keys("list").stdout


def test_keys_are_listed_oldest_first(keys: Run) -> None:
    made = [keys("create", name, "--json").json["api_key_id"] for name in ("first", "second")]
    listed = [key["api_key_id"] for key in keys("list", "--json").json]
    assert [key for key in listed if key in made] == made


def test_a_key_is_edited_by_its_name(keys: Run) -> None:
    keys("create", "old", "--limit", "requests:day:1", "--on-missing-usage", "estimate")
    edited = keys(
        "update", "old", "--name", "new", "--expire-time", "2040-01-01", "--default-output-tokens", "9", "--json"
    ).json
    assert (edited["name"], edited["expire_time"]) == ("new", "2040-01-01T00:00:00Z")
    assert edited["policies"] == {
        "on_missing_usage": "estimate",
        "default_output_tokens": 9,
        "on_quotad_unavailable": "closed",
        "unavailable_allowance": None,
        "on_unknown_price": "refuse",
        "default_price": None,
    }
    assert len(edited["limits"]) == 1
    edited = keys("update", "new", "--limit", "none", "--expire-time", "never", "--json").json
    assert (edited["limits"], edited["expire_time"]) == ([], None)


def test_policies_are_given_in_words(keys: Run) -> None:
    options = ("--on-quotad-unavailable", "open:100/60", "--on-unknown-price", "default:1250000/10000000")
    made = keys("create", "policies", *options, "--json").json["policies"]
    assert made["unavailable_allowance"] == {"requests": 100, "seconds": 60}
    assert made["default_price"] == {
        "microusd_per_million_input_tokens": 1250000,
        "microusd_per_million_output_tokens": 10000000,
    }
    edited = keys("update", "policies", "--on-quotad-unavailable", "closed", "--json").json["policies"]
    assert (edited["on_quotad_unavailable"], edited["unavailable_allowance"]) == ("closed", None)
    assert edited["on_unknown_price"] == "default"
    assert (
        keys("update", "policies", "--on-unknown-price", "refuse", "--json").json["policies"]["default_price"] is None
    )


def test_limits_may_follow_a_zone_and_may_be_shadows(keys: Run) -> None:
    options = ("--limit", "requests:day:5", "--limit", "requests:60s:9", "--shadow-limit", "requests:month:7")
    made = keys("create", "zoned", *options, "--time-zone", "Asia/Seoul", "--json").json["limits"]
    assert [(limit["window"], limit["time_zone"], limit["enforcement"]) for limit in made] == [
        ("day", "Asia/Seoul", "enforce"),
        ("60s", "UTC", "enforce"),
        ("month", "Asia/Seoul", "shadow"),
    ]
    edited = keys("update", "zoned", "--limit", "none", "--shadow-limit", "requests:day:1", "--json").json["limits"]
    assert [limit["enforcement"] for limit in edited] == ["shadow"]


def test_a_key_is_rotated(keys: Run) -> None:
    created = keys("create", "rotated", "--json").json
    rotated = keys("rotate", "rotated", "--grace-seconds", "3600", "--json").json
    assert rotated["api_key_id"] == created["api_key_id"]
    assert rotated["secret"] != created["secret"]
    assert rotated["old_secrets_expire_time"]
    assert "shown this once" in keys("rotate", "rotated").stdout


def test_a_key_is_disabled_enabled_and_deleted(keys: Run) -> None:
    keys("create", "switch")
    assert "disabled" in keys("disable", "switch").stdout
    assert "disabled" in keys("show", "switch").stdout
    assert "active" in keys("enable", "switch").stdout
    deleted = keys("delete", "switch", "--json").json
    assert deleted["delete_time"]
    assert keys("delete", deleted["api_key_id"]).code == 0
    assert keys("show", "switch").stderr == "quotad: no key has the id or name 'switch': see quotad keys list\n"


def test_a_name_that_two_keys_share_is_an_error_that_lists_their_ids(keys: Run) -> None:
    ids = [keys("create", "twin", "--json").json["api_key_id"] for _ in range(2)]
    ended = keys("disable", "twin")
    assert ended.code == 1
    assert all(one in ended.stderr for one in ids)
    assert ended.stderr.count("\n") == 1


def test_tenants_are_apart(keys: Run) -> None:
    keys("create", "theirs", "--tenant", "blue")
    assert keys("show", "theirs").code == 1
    assert keys("show", "theirs", "--tenant", "blue").code == 0


def test_beside_a_running_stack_nothing_needs_to_be_set(
    run: Run, daemon_address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("QUOTA_DATA_DIR", str(tmp_path))
    stack = {"quotad": daemon_address, "quotad_admin_token": ADMIN_TOKEN}
    (tmp_path / "stack.json").write_text(json.dumps(stack))
    assert run("keys", "list").code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["create", "x", "--limit", "requests:day:1", "--limit", "requests:day:2"], "two limits have the same"),
        (["create", "x", "--limit", "concurrency:day:1"], "a concurrency limit has the window lifetime"),
        (["create", ""], "1 to 128 characters"),
        (["create", "x", "--tenant", "no spaces please"], "tenant_id"),
        (["update", "nobody", "--name", "x"], "no key has the id or name 'nobody'"),
    ],
)
def test_a_command_that_cannot_be_done_ends_in_one_line(keys: Run, arguments: list[str], said: str) -> None:
    ended = keys(*arguments)
    assert (ended.code, ended.stdout) == (1, "")
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["lost"],
        ["create"],
        ["create", "x", "--on-missing-usage", "guess"],
        ["create", "x", "--limit", "requests:day:ten"],
        ["create", "x", "--shadow-limit", "requests:day:ten"],
        ["create", "x", "--on-quotad-unavailable", "open"],
        ["create", "x", "--on-unknown-price", "default:1"],
        ["update", "nobody", "--on-quotad-unavailable", "open:1/x"],
        ["rotate", "nobody", "--grace-seconds", "-1"],
        ["create", "x", "--expire-time", "soon"],
        ["update", "nobody"],
        ["--what"],
    ],
)
def test_a_wrong_usage_ends_in_one_line(keys: Run, arguments: list[str]) -> None:
    ended = keys(*arguments)
    assert (ended.code, ended.stdout) == (2, "")
    assert ended.stderr.startswith("quotad: ")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(("token", "said"), [("wrong-token-of-a-stranger", "unknown"), (DATA_TOKEN, "role admin")])
def test_a_token_that_does_not_cover_the_call_is_told(
    keys: Run, monkeypatch: pytest.MonkeyPatch, token: str, said: str
) -> None:
    monkeypatch.setenv("QUOTAD_TOKEN", token)
    ended = keys("list")
    assert ended.code == 1
    assert said in ended.stderr
    assert token not in ended.stderr


def test_without_a_daemon_the_command_says_what_to_do(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = run("keys", "list")
    assert (nowhere.code, nowhere.stderr) == (
        2,
        "quotad: no quotad to talk to: start one with `quotad up`, or set QUOTAD_ADDRESS and QUOTAD_TOKEN\n",
    )
    monkeypatch.setenv("QUOTAD_ADDRESS", "127.0.0.1:1")
    monkeypatch.setenv("QUOTAD_TOKEN", ADMIN_TOKEN)
    unreachable = run("keys", "list")
    assert (unreachable.code, unreachable.stderr) == (
        1,
        "quotad: quotad at 127.0.0.1:1 cannot be reached: is it running, and is QUOTAD_ADDRESS right?\n",
    )
