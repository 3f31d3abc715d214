from __future__ import annotations

import pytest

from tests.quotad.cli.conftest import Run


@pytest.fixture
def tokens(keys: Run, run: Run) -> Run:
    """`quotad tokens …` beside the daemon of `keys`."""
    return lambda *arguments: run("tokens", *arguments)


def test_a_token_is_made_used_and_revoked(tokens: Run, keys: Run, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    made = tokens("create", "laptop", "--role", "admin", "--tenant", "blue", "--json").json
    assert (made["tenant_ids"], made["may_charge_unreserved"]) == (["blue"], False)
    with monkeypatch.context() as patch:
        patch.setenv("QUOTAD_TOKEN", made["secret"])
        assert keys("create", "theirs", "--tenant", "blue").code == 0
        refused = keys("list")
        assert refused.code == 1
        assert "may not touch this tenant" in refused.stderr
    assert "laptop" in tokens("list").stdout
    assert "revoked" in tokens("revoke", "laptop").stdout
    assert all(token["name"] != "laptop" for token in tokens("list", "--json").json)
    noted = run("audit-log", "--resource-id", made["token_id"], "--json").json
    assert [entry["action"] for entry in noted] == ["revoke", "create"]
    assert made["secret"] not in str(noted)


def test_a_token_is_printed_once_for_people(tokens: Run) -> None:
    made = tokens("create", "proxies", "--may-charge-unreserved")
    assert "shown this once" in made.stdout
    assert "all" in made.stdout
    assert "qt-" not in tokens("list").stdout


def test_an_unknown_token_is_told_in_one_line(tokens: Run) -> None:
    ended = tokens("revoke", "nobody")
    assert (ended.code, ended.stderr) == (1, "quotad: no token has the id or name 'nobody': see quotad tokens list\n")


def test_the_audit_log_is_shown_to_people(run: Run, keys: Run) -> None:
    created = keys("create", "noted", "--json").json
    keys("disable", "noted")
    shown = run("audit-log", "--resource-kind", "api_key", "--resource-id", created["api_key_id"])
    assert shown.code == 0
    assert [line.split()[1] for line in shown.stdout.splitlines()[1:]] == ["update", "create"]
    assert "os:" in shown.stdout
