"""Groups, against a real quotad."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from dashboard.api.groups import groups_below
from quotad.client.types import Group
from tests.dashboard.api.keys import LIMIT, Keys, operating, tokens_by_model
from tests.dashboard.world import Dashboard, code_of

START = datetime(2026, 5, 1, tzinfo=UTC)
UNKNOWN = "grp_01890000000070008000000000000000"


@pytest.fixture
async def keys(database_url: str) -> AsyncIterator[Keys]:
    async with operating(database_url) as keys:
        yield keys


async def patch(keys: Keys, group: dict[str, Any], **changes: Any) -> httpx2.Response:
    return await keys.operator.patch(f"/api/groups/{group['groupId']}", json=changes)


async def test_groups_are_listed_with_their_parents_and_what_their_limits_hold(keys: Keys) -> None:
    root = await keys.create_group("company", limits=[LIMIT])
    team = await keys.create_group("team", parentGroupId=root["groupId"])
    made = await keys.create(groupId=team["groupId"], limits=[])
    await keys.use(made["secret"], "r-1", 40)
    listed = (await keys.operator.get("/api/groups")).json()
    assert [(group["name"], group["parentGroupId"]) for group in listed["groups"]] == [
        ("company", ""),
        ("team", root["groupId"]),
    ]
    assert [limit["used"] for limit in listed["groups"][0]["limits"]] == [40]
    assert listed["groups"][1]["limits"] == []
    assert listed["serverTime"].endswith("Z")
    assert (await keys.operator.get(f"/api/groups/{team['groupId']}")).json() == listed["groups"][1]


async def test_groups_come_in_pages(keys: Keys) -> None:
    made = [(await keys.create_group(f"group {number}"))["groupId"] for number in range(3)]
    first = (await keys.operator.get("/api/groups?pageSize=2")).json()
    second = (await keys.operator.get(f"/api/groups?pageSize=2&pageToken={first['nextPageToken']}")).json()
    assert [group["groupId"] for group in first["groups"] + second["groups"]] == made
    assert second["nextPageToken"] == ""


async def test_a_kept_limit_of_a_group_keeps_its_counter(keys: Keys) -> None:
    team = await keys.create_group("team", limits=[LIMIT])
    made = await keys.create(groupId=team["groupId"], limits=[])
    await keys.use(made["secret"], "r-1", 40)
    edited = await patch(keys, team, name="crew", limits=[{**LIMIT, "maxValue": 50}], etag=team["etag"])
    assert edited.status_code == 200, edited.text
    assert edited.json()["name"] == "crew"
    assert [(limit["used"], limit["maxValue"]) for limit in edited.json()["limits"]] == [(40, 50)]
    assert code_of(await patch(keys, team, name="other", etag=team["etag"])) == (409, "etag_mismatch")


async def test_a_group_moves_with_all_below_it(keys: Keys) -> None:
    company, team = await keys.create_group("company"), await keys.create_group("team")
    made = await keys.create(groupId=team["groupId"])
    assert (await patch(keys, team, parentGroupId=company["groupId"])).status_code == 200
    assert [step["name"] for step in (await keys.get(made["apiKeyId"]))["groupPath"]] == ["company", "team"]
    assert (await patch(keys, team, parentGroupId="")).json()["parentGroupId"] == ""


async def test_a_tree_that_cannot_be_is_explained(keys: Keys) -> None:
    tree = [await keys.create_group("level 1")]
    for level in range(2, 5):
        tree.append(await keys.create_group(f"level {level}", parentGroupId=tree[-1]["groupId"]))
    below_itself = await patch(keys, tree[0], parentGroupId=tree[2]["groupId"])
    too_deep = await keys.operator.post("/api/groups", json={"name": "x", "parentGroupId": tree[3]["groupId"]})
    for answer, reason in ((below_itself, "below itself"), (too_deep, "at most 4 levels")):
        assert code_of(answer) == (409, "group_tree_invalid")
        assert reason in answer.json()["error"]["message"]


async def test_only_an_empty_group_is_deleted(keys: Keys) -> None:
    company = await keys.create_group("company")
    team = await keys.create_group("team", parentGroupId=company["groupId"])
    made = await keys.create(groupId=team["groupId"])
    for group in (company, team):
        answer = await keys.operator.delete(f"/api/groups/{group['groupId']}")
        assert code_of(answer) == (409, "group_not_empty")
    await keys.operator.delete(f"/api/api-keys/{made['apiKeyId']}")
    stale = await keys.operator.delete(f"/api/groups/{team['groupId']}", params={"etag": "stale"})
    assert code_of(stale) == (409, "etag_mismatch")
    for group in (team, company, company):
        answer = await keys.operator.delete(f"/api/groups/{group['groupId']}")
        assert answer.status_code == 204, answer.text
    assert (await keys.operator.get("/api/groups")).json() == {"groups": [], "nextPageToken": "", "serverTime": None}


async def test_what_the_keys_below_a_group_were_charged_is_summed_up(keys: Keys) -> None:
    company = await keys.create_group("company")
    team = await keys.create_group("team", parentGroupId=company["groupId"])
    used = ((company["groupId"], 1), (team["groupId"], 2), ("", 4))
    for group_id, tokens in used:
        made = await keys.create(groupId=group_id, limits=[])
        await keys.use(made["secret"], f"r-{tokens}", tokens)
    for group, tokens in ((company, 3), (team, 2)):
        usage = (await keys.operator.get(f"/api/groups/{group['groupId']}/usage")).json()
        assert usage["isComplete"] is True
        assert tokens_by_model(usage) == {"gpt-5.1": tokens}


WRONG_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({}, "name"),
    ({"name": ""}, "name"),
    ({"name": "x", "more": 1}, "more"),
    ({"name": "x", "limits": [LIMIT] * 20}, "limits"),
    ({"name": "x", "limits": [{**LIMIT, "window": "decade"}]}, "limits.0.window"),
    ({"name": "x", "parentGroupId": "a b"}, "parentGroupId"),
]


async def test_a_wrong_field_is_named(keys: Keys) -> None:
    for body, field in WRONG_FIELDS:
        answer = await keys.operator.post("/api/groups", json=body)
        assert code_of(answer) == (400, "invalid_request"), body
        assert answer.json()["error"]["field"] == field, body


async def test_a_group_that_is_not_there_is_not_found(keys: Keys) -> None:
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("GET", "/usage")):
        body = {"name": "x"} if method == "PATCH" else None
        answer = await keys.operator.request(method, f"/api/groups/{UNKNOWN}{path}", json=body)
        assert code_of(answer) == (404, "resource_not_found"), method
    answer = await keys.operator.post("/api/groups", json={"name": "x", "parentGroupId": UNKNOWN})
    assert code_of(answer) == (404, "resource_not_found")


async def test_an_edit_that_changes_nothing_is_refused(keys: Keys) -> None:
    team = await keys.create_group("team")
    for changes in ({}, {"etag": team["etag"]}, {"name": None}):
        assert code_of(await patch(keys, team, **changes)) == (400, "invalid_request")


async def test_quotad_away_is_told_as_such(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator:
        assert code_of(await operator.get("/api/groups")) == (503, "quotad_unavailable")


def group(group_id: str, parent_group_id: str) -> Group:
    return Group(group_id, "default", group_id, parent_group_id, (), START, START, "etag")


def test_what_is_below_a_group_is_found_at_any_depth() -> None:
    groups = [group("b", "a"), group("c", "b"), group("d", ""), group("e", "a"), group("a", "")]
    assert sorted(groups_below("a", groups)) == ["a", "b", "c", "e"]
    assert groups_below("d", groups) == ["d"]
