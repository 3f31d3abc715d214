"""What steers a key beyond its limits: policies, group, another secret, and what it was charged."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from quotad.errors import ApiKeyDisabled
from tests.dashboard.api.keys import LIMIT, Keys, operating, tokens_by_model
from tests.dashboard.world import code_of

OPEN_POLICIES = {
    "onMissingUsage": "estimate",
    "defaultOutputTokens": 500,
    "onQuotadUnavailable": "open",
    "unavailableAllowance": {"requests": 10, "seconds": 60},
    "onUnknownPrice": "default",
    "defaultPrice": {"microusdPerMillionInputTokens": 2_000_000, "microusdPerMillionOutputTokens": 8_000_000},
}
DEFAULTS = {
    "onMissingUsage": "release",
    "defaultOutputTokens": 0,
    "onQuotadUnavailable": "closed",
    "unavailableAllowance": None,
    "onUnknownPrice": "refuse",
    "defaultPrice": None,
}


@pytest.fixture
async def keys(database_url: str) -> AsyncIterator[Keys]:
    async with operating(database_url) as keys:
        yield keys


async def test_policies_are_set_shown_and_replaced_as_a_whole(keys: Keys) -> None:
    made = await keys.create(policies=OPEN_POLICIES)
    assert (await keys.get(made["apiKeyId"]))["policies"] == OPEN_POLICIES
    assert (await keys.patch(made["apiKeyId"], name="bob")).json()["policies"] == OPEN_POLICIES
    edited = await keys.patch(made["apiKeyId"], policies={"defaultOutputTokens": 7})
    assert edited.json()["policies"] == {**DEFAULTS, "defaultOutputTokens": 7}


WRONG_POLICIES: list[tuple[dict[str, Any], str]] = [
    ({"onQuotadUnavailable": "open"}, "policies.unavailableAllowance"),
    ({"unavailableAllowance": {"requests": 1, "seconds": 1}}, "policies.unavailableAllowance"),
    (
        {"onQuotadUnavailable": "open", "unavailableAllowance": {"requests": 0, "seconds": 1}},
        "policies.unavailableAllowance.requests",
    ),
    ({"onUnknownPrice": "default"}, "policies.defaultPrice"),
    ({"defaultOutputTokens": -1}, "policies.defaultOutputTokens"),
    ({"onMissingUsage": "ignore"}, "policies.onMissingUsage"),
    ({"more": 1}, "policies.more"),
]


async def test_a_wrong_policy_is_named(keys: Keys) -> None:
    for policies, field in WRONG_POLICIES:
        answer = await keys.operator.post("/api/api-keys", json={"name": "x", "policies": policies})
        assert code_of(answer) == (400, "invalid_request"), policies
        assert answer.json()["error"]["field"] == field, policies


async def test_a_key_moves_between_groups_and_shows_the_limits_of_all_above_it(keys: Keys) -> None:
    root = await keys.create_group("company", limits=[{**LIMIT, "maxValue": 9000}])
    team = await keys.create_group(
        "team", parentGroupId=root["groupId"], limits=[{"metric": "requests", "window": "minute", "maxValue": 60}]
    )
    made = await keys.create(groupId=team["groupId"])
    await keys.use(made["secret"], "r-1", 40)
    key = await keys.get(made["apiKeyId"])
    assert [step["name"] for step in key["groupPath"]] == ["company", "team"]
    assert [(limit["groupName"], limit["used"]) for limit in key["groupLimits"]] == [("team", 1), ("company", 40)]
    assert [limit["used"] for limit in key["limits"]] == [40]
    moved = (await keys.patch(made["apiKeyId"], groupId="")).json()
    assert (moved["groupPath"], moved["groupLimits"]) == ([], [])


async def test_a_key_cannot_join_a_group_that_is_not_there(keys: Keys) -> None:
    unknown = "grp_01890000000070008000000000000000"
    answer = await keys.operator.post("/api/api-keys", json={"name": "x", "groupId": unknown})
    assert code_of(answer) == (404, "resource_not_found")


async def test_a_rotated_key_has_another_secret_and_the_old_one_works_for_its_grace(keys: Keys) -> None:
    made = await keys.create()
    path = f"/api/api-keys/{made['apiKeyId']}/rotate"
    rotated = await keys.operator.post(path, json={"graceSeconds": 3600})
    assert rotated.status_code == 200
    assert rotated.json()["secret"] != made["secret"]
    for number, secret in enumerate((made["secret"], rotated.json()["secret"])):
        await keys.use(secret, f"r-{number}", 10)
    key = await keys.get(made["apiKeyId"])
    assert key["oldSecretsExpireTime"] is not None
    assert key["secretPrefix"] == rotated.json()["secretPrefix"]
    at_once = await keys.operator.post(path, json={})
    with pytest.raises(ApiKeyDisabled):
        await keys.use(rotated.json()["secret"], "r-3", 10)
    await keys.use(at_once.json()["secret"], "r-4", 10)


async def test_a_rotation_on_stale_data_or_with_a_wrong_grace_is_refused(keys: Keys) -> None:
    made = await keys.create()
    path = f"/api/api-keys/{made['apiKeyId']}/rotate"
    stale = (await keys.get(made["apiKeyId"]))["etag"]
    await keys.patch(made["apiKeyId"], name="bob")
    assert code_of(await keys.operator.post(path, json={"etag": stale})) == (409, "etag_mismatch")
    for grace in (-1, 31 * 86_400, 1.5, "soon"):
        answer = await keys.operator.post(path, json={"graceSeconds": grace})
        assert code_of(answer) == (400, "invalid_request"), grace
    await keys.use(made["secret"], "r-1", 10)


async def test_a_deletion_on_stale_data_is_refused(keys: Keys) -> None:
    made = await keys.create()
    path = f"/api/api-keys/{made['apiKeyId']}"
    stale = (await keys.get(made["apiKeyId"]))["etag"]
    await keys.patch(made["apiKeyId"], name="bob")
    assert code_of(await keys.operator.delete(path, params={"etag": stale})) == (409, "etag_mismatch")
    assert (await keys.operator.get(path)).json()["deleteTime"] is None


async def test_what_a_key_was_charged_is_told_by_hour_and_by_model(keys: Keys) -> None:
    made, other = await keys.create(limits=[]), await keys.create(limits=[])
    await keys.use(made["secret"], "r-1", 40)
    await keys.use(made["secret"], "r-2", 2, model="gpt-5-mini")
    await keys.use(other["secret"], "r-3", 1000)
    usage = (await keys.operator.get(f"/api/api-keys/{made['apiKeyId']}/usage")).json()
    assert (usage["stepSeconds"], usage["isComplete"]) == (3600, True)
    assert sum(each["amount"] for each in usage["amounts"] if each["metric"] == "total_tokens") == 42
    assert tokens_by_model(usage) == {"gpt-5-mini": 2, "gpt-5.1": 40}


async def test_a_long_time_is_told_by_days(keys: Keys) -> None:
    made = await keys.create(limits=[])
    await keys.use(made["secret"], "r-1", 40)
    since = datetime.now(UTC).replace(microsecond=0).timestamp() - 20 * 86_400
    query = {"since": datetime.fromtimestamp(since, UTC).isoformat()}
    usage = (await keys.operator.get(f"/api/api-keys/{made['apiKeyId']}/usage", params=query)).json()
    assert usage["stepSeconds"] == 86_400
    assert {amount["time"][10:] for amount in usage["amounts"]} == {"T00:00:00Z"}


async def test_a_wrong_time_of_usage_is_refused(keys: Keys) -> None:
    made = await keys.create()
    path = f"/api/api-keys/{made['apiKeyId']}/usage"
    for query in (
        "since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z",
        "since=2020-01-01T00:00:00Z",
        "until=0001-01-01T00:00:00Z",
        "since=now",
    ):
        assert code_of(await keys.operator.get(f"{path}?{query}")) == (400, "invalid_request"), query
    unknown = "/api/api-keys/key_01890000000070008000000000000000/usage"
    assert code_of(await keys.operator.get(unknown)) == (404, "resource_not_found")
