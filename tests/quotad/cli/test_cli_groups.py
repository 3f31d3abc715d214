from __future__ import annotations

import pytest

from tests.quotad.cli.conftest import Run


@pytest.fixture
def groups(keys: Run, run: Run) -> Run:
    """`quotad groups …` beside the daemon of `keys`."""
    return lambda *arguments: run("groups", *arguments)


def test_groups_are_made_shown_and_listed(groups: Run) -> None:
    root = groups("create", "org", "--limit", "cost_microusd:month:50000000", "--time-zone", "Europe/Paris", "--json")
    assert root.json["limits"][0]["time_zone"] == "Europe/Paris"
    team = groups("create", "team", "--parent", "org", "--shadow-limit", "requests:minute:60", "--json").json
    assert team["parent_group_id"] == root.json["group_id"]
    assert team["limits"][0]["enforcement"] == "shadow"
    shown = groups("show", "team", "--json").json
    assert (shown["limits"][0]["used"], shown["limits"][0]["owner"]["group_id"]) == (0, team["group_id"])
    listed = {group["name"]: group["parent_group_id"] for group in groups("list", "--json").json}
    assert listed == {"org": "", "team": root.json["group_id"]}
    for text in ("cost_microusd 50,000,000 per month in Europe/Paris", "requests 60 per minute (shadow)"):
        assert text in groups("list").stdout
    assert f"below {root.json['group_id']}" in groups("show", "team").stdout


def test_a_key_in_a_group_shows_the_groups_limits(groups: Run, keys: Run) -> None:
    groups("create", "shared", "--limit", "requests:day:100")
    created = keys("create", "member", "--group", "shared", "--limit", "requests:day:5", "--json").json
    shown = keys("show", "member", "--json").json
    assert [step["name"] for step in shown["group_path"]] == ["shared"]
    assert [limit["max_value"] for limit in shown["limits"]] == [5, 100]
    assert "in the group shared" in keys("show", "member").stdout
    assert "group shared" in keys("show", "member").stdout
    refused = groups("delete", "shared")
    assert (refused.code, refused.stderr.count("\n")) == (1, 1)
    assert "still in this group" in refused.stderr
    assert keys("update", created["api_key_id"], "--group", "none", "--json").json["group_id"] == ""
    assert groups("delete", "shared").code == 0


def test_a_group_is_edited_and_moved(groups: Run) -> None:
    upper = groups("create", "upper", "--json").json
    groups("create", "lower", "--limit", "requests:day:1")
    moved = groups("update", "lower", "--parent", "upper", "--name", "below", "--limit", "none", "--json").json
    assert (moved["name"], moved["parent_group_id"], moved["limits"]) == ("below", upper["group_id"], [])
    refused = groups("update", "upper", "--parent", "below")
    assert refused.code == 1
    assert "below itself" in refused.stderr
    assert groups("update", "below", "--parent", "none", "--json").json["parent_group_id"] == ""
    assert groups("update", "below").code == 2


def test_an_unknown_group_is_told_in_one_line(groups: Run, keys: Run) -> None:
    for ended in (groups("show", "nobody"), keys("create", "x", "--group", "nobody")):
        assert (ended.code, ended.stdout) == (1, "")
        assert ended.stderr == "quotad: no group has the id or name 'nobody': see quotad groups list\n"


def test_groups_of_tenants_are_apart(groups: Run) -> None:
    groups("create", "theirs", "--tenant", "green")
    assert groups("show", "theirs").code == 1
    assert groups("show", "theirs", "--tenant", "green").code == 0
