"""API keys, against a real quotad."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx2
import pytest

from servicekit.listening import Listen, bind
from tests.dashboard.api.keys import LIMIT, Keys, operating
from tests.dashboard.world import Dashboard, code_of, running
from tests.support.daemons import ADMIN_TOKEN, DATA_TOKEN, limit, quotad
from tests.support.waiting import eventually


@pytest.fixture
async def keys(database_url: str) -> AsyncIterator[Keys]:
    async with operating(database_url) as keys:
        yield keys


async def test_a_secret_is_in_one_answer_only_and_works(keys: Keys) -> None:
    created = await keys.create()
    assert created["secret"].startswith(created["secretPrefix"])
    async with keys.daemon.data() as client:
        described = await client.describe_key(api_key=created["secret"])
    assert described.api_key.api_key_id == created["apiKeyId"]
    for path in ("/api/api-keys", f"/api/api-keys/{created['apiKeyId']}"):
        assert created["secret"] not in (await keys.operator.get(path)).text


async def test_a_key_shows_its_limits_and_what_they_hold_and_used(keys: Keys) -> None:
    created = await keys.create()
    async with keys.daemon.data() as client:
        await client.reserve(
            "r-1", api_key=created["secret"], model="gpt-5.1", amounts={"total_tokens": 300}, lease_seconds=60
        )
        await client.reserve(
            "r-2", api_key=created["secret"], model="gpt-5.1", amounts={"total_tokens": 100}, lease_seconds=60
        )
        await client.finalize("r-1", amounts={"total_tokens": 250})
    key = await keys.get(created["apiKeyId"])
    assert [listed["apiKeyId"] for listed in (await keys.operator.get("/api/api-keys")).json()["apiKeys"]] == [
        created["apiKeyId"]
    ]
    [status] = key["limits"]
    assert {name: status[name] for name in LIMIT} == LIMIT
    assert (status["used"], status["held"], status["available"]) == (250, 100, 650)
    assert (status["timeZone"], status["enforcement"]) == ("UTC", "enforce")
    assert status["windowStart"].endswith("T00:00:00Z")
    assert status["resetTime"].endswith("T00:00:00Z")


async def test_times_are_utc_whatever_zone_they_came_in(keys: Keys) -> None:
    later = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
    zone = later + timedelta(hours=2)
    created = await keys.create(expireTime=zone.strftime("%Y-%m-%dT%H:%M:%S+02:00"))
    assert (await keys.get(created["apiKeyId"]))["expireTime"] == later.strftime("%Y-%m-%dT%H:%M:%SZ")


async def test_a_window_is_read_as_it_was_written(keys: Keys) -> None:
    windows = ["minute", "hour", "day", "week", "month", "lifetime", "18000s"]
    limits = [{"metric": "requests", "window": window, "maxValue": 5} for window in windows]
    created = await keys.create(limits=limits)
    statuses = {status["window"]: status for status in (await keys.get(created["apiKeyId"]))["limits"]}
    assert sorted(statuses) == sorted(windows)
    assert [window for window in windows if statuses[window]["resetTime"] is None] == ["lifetime"]


async def test_an_edit_changes_what_it_names_and_a_kept_limit_keeps_its_counter(keys: Keys) -> None:
    created = await keys.create(allowedModels=["gpt-5*"])
    api_key_id = created["apiKeyId"]
    async with keys.daemon.data() as client:
        await client.reserve("r-1", api_key=created["secret"], model="gpt-5.1", amounts={"total_tokens": 300})
        await client.finalize("r-1", amounts={"total_tokens": 300})
    edited = await keys.patch(api_key_id, limits=[{**LIMIT, "maxValue": 400}], name="bob")
    assert edited.status_code == 200
    assert edited.json() == {**await keys.get(api_key_id), "allowedModels": ["gpt-5*"], "name": "bob"}
    assert [(status["used"], status["maxValue"]) for status in edited.json()["limits"]] == [(300, 400)]
    assert (await keys.patch(api_key_id, disabled=True)).json()["disabled"] is True
    assert (await keys.patch(api_key_id, disabled=None, name="bob")).json()["disabled"] is True
    assert (await keys.patch(api_key_id, disabled=False, limits=[])).json()["limits"] == []


async def test_an_edit_that_changes_nothing_is_refused(keys: Keys) -> None:
    api_key_id = (await keys.create())["apiKeyId"]
    nothing: list[dict[str, Any]] = [{}, {"etag": "e"}, {"name": None, "limits": None}]
    for changes in nothing:
        assert code_of(await keys.patch(api_key_id, **changes)) == (400, "invalid_request")


async def test_an_expiry_is_taken_away_by_null_and_left_alone_by_silence(keys: Keys) -> None:
    created = await keys.create(expireTime="2100-01-01T00:00:00Z")
    assert (await keys.patch(created["apiKeyId"], name="bob")).json()["expireTime"] == "2100-01-01T00:00:00Z"
    assert (await keys.patch(created["apiKeyId"], expireTime=None)).json()["expireTime"] is None


async def test_an_edit_on_stale_data_is_refused(keys: Keys) -> None:
    api_key_id = (await keys.create())["apiKeyId"]
    etag = (await keys.get(api_key_id))["etag"]
    first = await keys.patch(api_key_id, name="first", etag=etag)
    assert first.status_code == 200
    assert code_of(await keys.patch(api_key_id, name="second", etag=etag)) == (409, "etag_mismatch")
    assert (await keys.patch(api_key_id, name="second", etag=first.json()["etag"])).status_code == 200


async def test_a_deleted_key_is_listed_no_more_and_serves_nobody(keys: Keys) -> None:
    created = await keys.create()
    path = f"/api/api-keys/{created['apiKeyId']}"
    assert (await keys.operator.delete(path)).status_code == 204
    assert (await keys.operator.delete(path)).status_code == 204
    assert (await keys.operator.get("/api/api-keys")).json() == {
        "apiKeys": [],
        "nextPageToken": "",
        "serverTime": None,
    }


async def test_keys_come_in_pages(keys: Keys) -> None:
    made = [(await keys.create(name=f"key {number}"))["apiKeyId"] for number in range(3)]
    first = (await keys.operator.get("/api/api-keys?pageSize=2")).json()
    assert [key["apiKeyId"] for key in first["apiKeys"]] == made[:2]
    assert first["serverTime"].endswith("Z")
    second = (await keys.operator.get(f"/api/api-keys?pageSize=2&pageToken={first['nextPageToken']}")).json()
    assert [key["apiKeyId"] for key in second["apiKeys"]] == made[2:]
    assert second["nextPageToken"] == ""


WRONG_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({}, "name"),
    ({"name": ""}, "name"),
    ({"name": "x" * 200}, "name"),
    ({"name": "x", "more": 1}, "more"),
    ({"name": "x", "limits": [{"metric": "Not One", "window": "day", "maxValue": 1}]}, "limits.metric"),
    ({"name": "x", "limits": [{"metric": "requests", "window": "decade", "maxValue": 1}]}, "limits.0.window"),
    ({"name": "x", "limits": [{"metric": "requests", "window": "day", "maxValue": -1}]}, "limits.0.maxValue"),
    ({"name": "x", "limits": [{"metric": "requests", "window": "day", "maxValue": 1.5}]}, "limits.0.maxValue"),
    ({"name": "x", "limits": [{"metric": "requests", "window": "day", "maxValue": 10**16}]}, "limits.maxValue"),
    ({"name": "x", "limits": [{**LIMIT, "timeZone": "Mars"}]}, "limits.window.timeZone"),
    ({"name": "x", "limits": [{**LIMIT, "modelPattern": "a*b"}]}, "limits.modelPattern"),
    ({"name": "x", "limits": [LIMIT, LIMIT]}, "limits"),
    ({"name": "x", "limits": [LIMIT] * 100}, "limits"),
    ({"name": "x", "allowedModels": [""]}, "allowedModels"),
    ({"name": "x", "expireTime": "2100-01-01T00:00:00"}, "expireTime"),
    ({"name": "x", "expireTime": "soon"}, "expireTime"),
]


async def test_a_wrong_field_is_named(keys: Keys) -> None:
    for body, field in WRONG_FIELDS:
        answer = await keys.operator.post("/api/api-keys", json=body)
        assert code_of(answer) == (400, "invalid_request"), body
        assert answer.json()["error"]["field"] == field, body


async def test_text_that_is_no_text_and_numbers_beyond_64_bits_are_refused(keys: Keys) -> None:
    bodies = (
        '{"name": "\\ud800"}',
        '{"name": "x", "allowedModels": ["\\ud800"]}',
        json.dumps({"name": "x", "limits": [{**LIMIT, "maxValue": 2**70}]}),
    )
    for body in bodies:
        answer = await keys.operator.post("/api/api-keys", content=body, headers={"content-type": "application/json"})
        assert code_of(answer) == (400, "invalid_request"), body


async def test_an_unknown_key_is_not_found_and_a_malformed_id_refused(keys: Keys) -> None:
    for method in ("GET", "PATCH", "DELETE"):
        body = {"name": "x"} if method == "PATCH" else None
        answer = await keys.operator.request(method, "/api/api-keys/key_01890000000070008000000000000000", json=body)
        assert code_of(answer) == (404, "resource_not_found")
    for api_key_id in ("%00", "x" * 300, "a b"):
        status, code = code_of(await keys.operator.get(f"/api/api-keys/{api_key_id}"))
        assert (status, code) in ((400, "invalid_request"), (404, "resource_not_found"))


async def test_a_wrong_page_is_refused(keys: Keys) -> None:
    for query in ("pageSize=0", "pageSize=1001", "pageSize=x", "pageToken=%00"):
        assert code_of(await keys.operator.get(f"/api/api-keys?{query}")) == (400, "invalid_request")


async def test_a_key_shows_its_own_limits_without_its_groups(keys: Keys) -> None:
    """The page gives them back as the key's set."""
    created = await keys.create()
    async with keys.daemon.admin() as admin:
        group = await admin.create_group("team", limits=[limit("requests", 5)])
        await admin.update_api_key(created["apiKeyId"], group_id=group.group_id)
    key = await keys.get(created["apiKeyId"])
    assert [found["metric"] for found in key["limits"]] == ["total_tokens"]
    assert [(found["metric"], found["groupName"]) for found in key["groupLimits"]] == [("requests", "team")]


async def test_a_key_is_made_in_the_name_of_the_session_that_asked(keys: Keys) -> None:
    await keys.create()
    async with keys.daemon.admin() as admin:
        [made] = (await admin.list_audit_entries()).entries
    assert re.fullmatch(r"operator session=[0-9a-f]{12} address=127\.0\.0\.1", made.author.actor)


async def test_quotad_away_is_told_as_such_and_everything_else_goes_on(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator:
        for method, path in (("GET", "/api/api-keys"), ("DELETE", "/api/api-keys/key-1")):
            answer = await operator.request(method, path)
            assert code_of(answer) == (503, "quotad_unavailable")
            assert answer.headers["retry-after"] == "2"
            assert ("may or may not" in answer.json()["error"]["message"]) == (method == "DELETE")
        assert (await operator.get("/api/request-logs")).status_code == 200
        assert (await operator.get("/api/accounts")).status_code == 200


async def test_a_quotad_that_comes_back_is_found_again(database_url: str) -> None:
    listener = bind(Listen("127.0.0.1", 0), setting="test")
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    async with (
        running(database_url, quotad_address=address, quotad_token=ADMIN_TOKEN, quotad_retry_seconds=1.0) as dashboard,
        dashboard.signed_in() as operator,
    ):
        assert (await operator.get("/api/api-keys")).status_code == 503
        listener.close()
        async with quotad(database_url, listen=address):
            await eventually(partial(_answers, operator))


async def _answers(operator: httpx2.AsyncClient) -> bool:
    return (await operator.get("/api/api-keys")).status_code == 200


async def test_a_token_that_quotad_refuses_is_told_as_quotad_being_away(database_url: str) -> None:
    async with quotad(database_url) as daemon:
        for token in ("not-a-token-of-any-kind", DATA_TOKEN):
            async with running(database_url, quotad_address=daemon.address, quotad_token=token) as dashboard:
                async with dashboard.signed_in() as operator:
                    answer = await operator.get("/api/api-keys")
                    assert code_of(answer) == (503, "quotad_unavailable")
                    assert "token" in answer.json()["error"]["message"]
