"""Reservations, against a real quotad."""

from __future__ import annotations

import csv
import io
import json

from tests.dashboard.operating import Operating, operating
from tests.dashboard.world import Dashboard, code_of
from tests.support.daemons import quotad


async def test_open_holds_are_listed_with_age_key_and_amounts(scene: Operating) -> None:
    key = await scene.key("alice")
    await scene.reserve(key, "r-1", total_tokens=300)
    listed = await scene.get("/api/reservations")
    [shown] = listed["reservations"]
    assert (shown["reservationId"], shown["apiKeyName"], shown["model"]) == ("r-1", "alice", "gpt-5.1")
    assert shown["apiKeyId"] == key.api_key.api_key_id
    assert (shown["state"], shown["reserved"]["total_tokens"]) == ("reserved", 300)
    assert 0 <= shown["ageSeconds"] < 60
    assert [(hold["metric"], hold["held"]) for hold in shown["holds"]] == [("total_tokens", 300)]
    assert listed["serverTime"].endswith("Z")


async def test_pages_states_and_keys_narrow_the_list(scene: Operating) -> None:
    first, second = await scene.key("first"), await scene.key("second")
    for number in range(3):
        await scene.reserve(first, f"r-{number}", total_tokens=1)
    await scene.reserve(second, "of-second", total_tokens=1)
    async with scene.daemon.data() as client:
        await client.finalize("r-0", amounts={"total_tokens": 7})
    page = await scene.get("/api/reservations", pageSize=2)
    assert [item["reservationId"] for item in page["reservations"]] == ["r-1", "r-2"]
    rest = await scene.get("/api/reservations", pageSize=2, pageToken=page["nextPageToken"])
    assert [item["reservationId"] for item in rest["reservations"]] == ["of-second"]
    assert rest["nextPageToken"] == ""
    of_second = await scene.get("/api/reservations", apiKeyId=second.api_key.api_key_id)
    assert [item["reservationId"] for item in of_second["reservations"]] == ["of-second"]
    [settled] = (await scene.get("/api/reservations", state="finalized"))["reservations"]
    assert (settled["actual"]["total_tokens"], settled["basis"]) == (7, "reported")
    assert (await scene.get("/api/reservations", ageMinSeconds=3600))["reservations"] == []


async def test_a_hold_is_given_back_once_with_a_reason_that_is_kept(scene: Operating) -> None:
    key = await scene.key("alice")
    await scene.reserve(key, "r-1", total_tokens=300)
    path, body = "/api/reservations/r-1/force-release", {"reason": "  stuck since noon ", "confirmed": True}
    first, again = [(await scene.operator.post(path, json=body)).json() for _ in range(2)]
    assert (first["changed"], again["changed"]) == (True, False)
    assert first["reservation"]["state"] == "expired"
    assert first["reservation"]["forcedReason"] == "stuck since noon"
    assert (await scene.get("/api/reservations"))["reservations"] == []
    async with scene.daemon.admin() as admin:
        [entry] = (await admin.list_audit_entries(resource_kind="reservation")).entries
    assert entry.author.actor.startswith("operator session=")
    assert json.loads(entry.after)["reason"] == "stuck since noon"


async def test_nothing_is_given_back_without_reason_and_confirmation(scene: Operating) -> None:
    key = await scene.key("alice")
    await scene.reserve(key, "r-1", total_tokens=300)
    for body in ({}, {"reason": "x"}, {"confirmed": True}, {"reason": " ", "confirmed": True}):
        answer = await scene.operator.post("/api/reservations/r-1/force-release", json=body)
        assert code_of(answer) == (400, "invalid_request"), body
    refused = {"reason": "x", "confirmed": False}
    assert code_of(await scene.operator.post("/api/reservations/r-1/force-release", json=refused))[0] == 400
    long = {"reason": "ü" * 200, "confirmed": True}
    answer = await scene.operator.post("/api/reservations/r-1/force-release", json=long)
    assert answer.json()["error"]["field"] == "reason"
    assert len((await scene.get("/api/reservations"))["reservations"]) == 1


async def test_a_hold_is_given_back_only_by_who_has_just_shown_who_they_are(database_url: str) -> None:
    async with quotad(database_url) as daemon, operating(daemon, database_url, step_up_seconds=0.001) as scene:
        await scene.reserve(await scene.key("alice"), "r-1", total_tokens=300)
        body = {"reason": "stuck", "confirmed": True}
        answer = await scene.operator.post("/api/reservations/r-1/force-release", json=body)
        assert code_of(answer) == (403, "step_up_required")
        assert len((await scene.get("/api/reservations"))["reservations"]) == 1


async def test_what_does_not_exist_and_what_is_wrong_is_named(scene: Operating) -> None:
    body = {"reason": "x", "confirmed": True}
    answer = await scene.operator.post("/api/reservations/none/force-release", json=body)
    assert code_of(answer) == (404, "resource_not_found")
    for query, field in (("state=held", "state"), ("pageSize=0", "pageSize"), ("pageToken=x", "pageToken")):
        answer = await scene.operator.get(f"/api/reservations?{query}")
        assert code_of(answer) == (400, "invalid_request"), query
        assert answer.json()["error"]["field"] == field


async def test_the_table_comes_as_csv_and_as_json(scene: Operating) -> None:
    key = await scene.key("=cmd()")
    for number in range(3):
        await scene.reserve(key, f"r-{number}", total_tokens=number + 1)
    answer = await scene.operator.get("/api/reservations/export?format=csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert 'filename="reservations-' in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [row["reservationId"] for row in rows] == ["r-0", "r-1", "r-2"]
    assert rows[0]["apiKeyName"] == "'=cmd()"
    assert json.loads(rows[2]["reserved"])["total_tokens"] == 3
    as_json = (await scene.operator.get("/api/reservations/export?format=json")).json()
    assert [row["reserved"]["total_tokens"] for row in as_json] == [1, 2, 3]


async def test_an_export_of_nothing_has_a_head_alone(scene: Operating) -> None:
    assert (await scene.operator.get("/api/reservations/export?format=json")).json() == []
    text = (await scene.operator.get("/api/reservations/export?format=csv")).text
    assert text.startswith("reservationId,apiKeyId,")
    assert text.count("\r\n") == 1


async def test_without_quotad_the_answer_says_so(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator:
        for path in ("/api/reservations", "/api/reservations/export?format=csv", "/api/refusals", "/api/rate-limits"):
            assert code_of(await operator.get(path)) == (503, "quotad_unavailable"), path
