"""Every way a request can go, and what the ledger says afterwards."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from quotad.client.types import OnMissingUsage
from tests.proxy.requests.scene import HASTY, HELD, REQUEST, STREAM, Scene, cost_microusd, open_scene, static
from tests.support.waiting import eventually

COMPACT = "/v1/responses/compact"


def events_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]


async def charged_as_reported(scene: Scene) -> int:
    """The one reservation is finalized with exactly what the upstream reported, which is returned."""
    [usage] = [entry.usage for entry in scene.entries if entry.usage]
    total = usage.input_tokens + usage.output_tokens
    reservation = await scene.the_reservation()
    assert (reservation["state"], reservation["basis"]) == ("finalized", "reported")
    assert reservation["actual"] == {
        "requests": 1,
        "concurrency": 0,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "total_tokens": total,
        "cost_microusd": cost_microusd(usage),
    }
    assert await scene.counters() == (0, total)
    return total


async def released(scene: Scene) -> None:
    """The one reservation is released, and nothing is held or used."""
    reservation = await scene.the_reservation()
    assert (reservation["state"], reservation["actual"]) == ("released", {})
    assert await scene.counters() == (0, 0)


async def test_a_stream_is_charged_once_with_what_the_upstream_reported(scene: Scene) -> None:
    """S1, S2"""
    response = await scene.post(STREAM)
    assert [event["type"] for event in events_of(response.text)][-1] == "response.completed"
    total = await charged_as_reported(scene)
    row = await scene.the_row()
    assert (row["status"], row["settlement"], row["basis"], row["total_tokens"]) == (
        "ok",
        "finalized",
        "reported",
        total,
    )
    assert [attempt["outcome"] for attempt in row["attempts"]] == ["done"]
    assert row["first_byte_ms"] is not None


async def test_what_a_request_holds_is_what_its_text_and_the_default_output_say(scene: Scene) -> None:
    await scene.post()
    reservation = await scene.the_reservation()
    assert {metric: reservation["requested"][metric] for metric in HELD} == HELD


async def test_the_charge_is_in_the_ledger_before_the_stream_ends(scene: Scene) -> None:
    """S1: whoever has read the last event finds it charged."""
    async with scene.streaming() as response:
        async for line in response.aiter_lines():
            if line == "event: response.completed":
                break
        [reservation] = await scene.reservations()
        assert reservation["state"] == "finalized"


async def test_the_bytes_of_a_stream_are_the_upstreams(scene: Scene) -> None:
    response = await scene.post(STREAM)
    events = events_of(response.text)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert response.text == "".join(
        f"event: {event['type']}\ndata: {json.dumps(event, separators=(',', ':'))}\n\n" for event in events
    )


@pytest.mark.parametrize("path", ["/v1/responses", COMPACT])
async def test_an_answer_that_is_no_stream_is_charged_with_its_report(scene: Scene, path: str) -> None:
    """S9"""
    response = await scene.post(path=path)
    assert response.status_code == 200
    assert response.json()["usage"]["total_tokens"] == await charged_as_reported(scene)


@pytest.mark.parametrize("body", [REQUEST, STREAM])
async def test_a_401_is_refreshed_and_the_same_reservation_tried_again(
    oauth_account: Scene, body: dict[str, Any]
) -> None:
    """S3"""
    oauth_account.misbehave("expired_token")
    response = await oauth_account.post(body)
    assert response.status_code == 200
    assert oauth_account.demo.upstream.credentials.refreshes == 1
    await charged_as_reported(oauth_account)
    row = await oauth_account.the_row()
    assert [(attempt["outcome"], attempt["http_status"]) for attempt in row["attempts"]] == [
        ("refreshed", 401),
        ("done", 200),
    ]


async def test_a_401_after_the_refresh_ends_in_one_release(oauth_account: Scene) -> None:
    """S4"""
    oauth_account.misbehave("401", "401")
    response = await oauth_account.post(STREAM)
    assert (response.status_code, response.json()["error"]["code"]) == (502, "upstream_error")
    await released(oauth_account)
    assert len(oauth_account.entries) == 2
    assert (await oauth_account.account_state("first"))[0] == "active"


async def test_no_account_at_all_ends_in_one_release(database_url: str, tmp_path: Path) -> None:
    """S5"""
    async with open_scene(database_url, tmp_path) as scene:
        response = await scene.post(STREAM)
        assert (response.status_code, response.json()["error"]["code"]) == (503, "no_accounts")
        await released(scene)
        row = await scene.the_row()
        assert (row["status"], row["settlement"], row["attempts"]) == ("error", "released", [])


@pytest.mark.parametrize("body", [REQUEST, STREAM])
async def test_no_account_left_after_the_attempts_ends_in_one_release(
    two_accounts: Scene, body: dict[str, Any]
) -> None:
    """S6, S8, S12"""
    outcomes = {}
    for behaviour in ("401", "500", "503", "reset", "cut", "html", "429"):
        response = await two_accounts.post(body, behaviour=behaviour)
        outcomes[behaviour] = response.status_code, response.json()["error"]["code"]
        assert (await two_accounts.reservation_of(response))["state"] == "released"
    assert outcomes == {
        "401": (502, "upstream_error"),
        "500": (502, "upstream_error"),
        "503": (503, "server_is_overloaded"),
        "reset": (502, "upstream_error"),
        "cut": (502, "upstream_error"),
        "html": (502, "upstream_error"),
        "429": (503, "server_is_overloaded"),
    }
    assert await two_accounts.counters() == (0, 0)
    rows = await two_accounts.rows(len(outcomes))
    assert {(row["status"], row["settlement"], len(row["attempts"])) for row in rows} == {("error", "released", 2)}


async def test_before_the_first_byte_another_account_takes_over(database_url: str, tmp_path: Path) -> None:
    """S8"""
    expected = {
        "401": "unauthorized",
        "500": "failing",
        "429": "limited",
        "429;kind=usage": "limited",
        "429;kind=quota": "limited",
        "reset": "unreachable",
        "cut;after=0": "unreachable",
        "html": "not_the_api",
        "failed;after=0": "failing",
        "error;after=0": "failing",
        "failed;after=0;code=rate_limit_exceeded": "limited",
    }
    accounts = [static(f"account-{number}") for number in range(len(expected) + 1)]
    async with open_scene(database_url, tmp_path, *accounts) as scene:
        for behaviour in expected:
            scene.misbehave(behaviour)
            response = await scene.post(STREAM)
            assert events_of(response.text)[-1]["type"] == "response.completed"
            assert (await scene.reservation_of(response))["basis"] == "reported"
        rows = await scene.rows(len(expected))
        outcomes = [[attempt["outcome"] for attempt in row["attempts"]] for row in rows]
        assert outcomes == [[reason, "done"] for reason in expected.values()]


async def test_an_account_that_ran_out_rests_until_its_reset(two_accounts: Scene) -> None:
    two_accounts.misbehave("429;kind=usage;retry-after=3600")
    for _ in range(3):
        assert (await two_accounts.post()).status_code == 200
    limited, *others = [entry.credential for entry in two_accounts.entries]
    assert len(others) == 3
    assert limited not in others
    [row] = await two_accounts.fetch("SELECT * FROM proxy.accounts WHERE state <> 'active'")
    assert row["name"].endswith(limited.strip("-"))
    assert row["state"] == "quota_exceeded"
    assert row["until"] > row["update_time"] + timedelta(minutes=59)


async def test_usage_of_an_attempt_that_was_retried_is_charged_too(two_accounts: Scene) -> None:
    """B4"""
    two_accounts.misbehave("failed;after=0;usage=yes")
    await two_accounts.post(STREAM)
    reports = [entry.usage for entry in two_accounts.entries if entry.usage]
    assert len(reports) == 2
    total = sum(usage.input_tokens + usage.output_tokens for usage in reports)
    assert (await two_accounts.the_reservation())["actual"]["total_tokens"] == total
    assert await two_accounts.counters() == (0, total)


async def test_a_refused_reserve_settles_nothing(scene: Scene) -> None:
    """S7"""
    poor = await scene.create_key(OnMissingUsage.RELEASE, max_value=10)
    response = await scene.post(key=poor)
    assert response.status_code == 429
    assert await scene.reservations() == []
    assert scene.entries == ()
    row = await scene.the_row()
    assert (row["status"], row["settlement"], row["reservation_id"], row["http_status"]) == (
        "rate_limit",
        "none",
        None,
        429,
    )
    assert row["denial"]["limits"][0]["metric"] == "total_tokens"


async def test_without_key_authentication_nothing_is_reserved_or_settled(database_url: str, tmp_path: Path) -> None:
    """S7"""
    async with open_scene(database_url, tmp_path, static(), key_auth="off") as scene:
        assert (await scene.post(STREAM)).status_code == 200
        assert await scene.reservations() == []
        row = await scene.the_row()
        assert (row["status"], row["settlement"]) == ("ok", "none")
        assert row["total_tokens"] > 0


async def test_a_reserve_without_an_answer_is_fenced_by_a_release(database_url: str, tmp_path: Path) -> None:
    """S7: the Reserve that still waits for its lock finds the fence, or is released behind it."""
    async with open_scene(database_url, tmp_path, static(), **HASTY) as scene:
        await scene.post()
        async with scene.daemon.windows_locked():
            response = await scene.post()
            assert (response.status_code, response.json()["error"]["code"]) == (503, "quota_unavailable")

        async def all_settled() -> bool:
            found = await scene.reservations()
            return len(found) == 2 and {row["state"] for row in found} == {"finalized", "released"}

        await eventually(all_settled)
        assert (await scene.counters())[0] == 0


@pytest.mark.parametrize("behaviour", ["incomplete", "failed;usage=yes"])
async def test_an_answer_that_ends_badly_is_charged_with_its_report(scene: Scene, behaviour: str) -> None:
    """B4"""
    response = await scene.post(STREAM, behaviour=behaviour)
    assert events_of(response.text)[-1]["type"] == f"response.{behaviour.partition(';')[0]}"
    await charged_as_reported(scene)


@pytest.mark.parametrize("policy", list(OnMissingUsage))
async def test_without_a_report_the_keys_policy_decides(scene: Scene, policy: OnMissingUsage) -> None:
    """B4, S12, S13"""
    key = await scene.create_key(policy)
    for behaviour in ("no_usage", "failed", "error", "cut;after=6", "reset;after=6", "half_event;after=6"):
        response = await scene.post(STREAM, behaviour=behaviour, words=6, key=key)
        assert response.status_code == 200
        reservation = await scene.reservation_of(response)
        output_tokens = reservation["actual"].get("output_tokens")
        match policy:
            case OnMissingUsage.RELEASE:
                assert (reservation["state"], output_tokens) == ("released", None)
            case OnMissingUsage.RESERVED:
                assert (reservation["basis"], output_tokens) == ("reserved", HELD["output_tokens"])
            case OnMissingUsage.ESTIMATE:
                assert reservation["basis"] == "estimated"
                assert 0 < output_tokens < 40
    assert (await scene.counters())[0] == 0


async def test_a_stream_that_breaks_ends_with_a_failure_and_is_not_retried(two_accounts: Scene) -> None:
    behaviours = ("cut;after=6", "reset;after=6", "half_event;after=6")
    for behaviour in behaviours:
        response = await two_accounts.post(STREAM, behaviour=behaviour)
        *whole, last = events_of(response.text)
        assert (last["type"], last["response"]["error"]["code"]) == ("response.failed", "stream_incomplete")
        assert [event["sequence_number"] for event in (*whole, last)] == list(range(len(whole) + 1))
        assert last["response"]["id"] == whole[0]["response"]["id"]
    assert len(two_accounts.entries) == len(behaviours)
    rows = await two_accounts.rows(len(behaviours))
    assert {(row["status"], row["error_code"], row["http_status"]) for row in rows} == {
        ("error", "stream_incomplete", 200)
    }


async def test_compaction_without_a_report_is_released_whatever_happened(scene: Scene) -> None:
    """S9"""
    for behaviour in ("500", "html", "cut", "cut;after=0", "half_event", "no_usage", "400"):
        response = await scene.post(path=COMPACT, behaviour=behaviour)
        assert (await scene.reservation_of(response))["state"] == "released"
    assert await scene.counters() == (0, 0)


async def test_the_upstreams_own_refusal_is_passed_on_and_releases(two_accounts: Scene) -> None:
    response = await two_accounts.post(STREAM, behaviour="400")
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_request")
    assert len(two_accounts.entries) == 1
    await released(two_accounts)


async def test_a_hold_far_below_the_limit_is_charged_in_full_when_more_was_used(scene: Scene) -> None:
    await scene.post({**REQUEST, "max_output_tokens": 1000}, words=900)
    assert await charged_as_reported(scene) > 900


async def test_one_request_after_another_uses_up_a_limit_exactly(scene: Scene) -> None:
    key = await scene.create_key(OnMissingUsage.RELEASE, max_value=4101 + 20)
    answers = [(await scene.post(key=key, words=5)).status_code for _ in range(6)]
    used = sum(e.usage.input_tokens + e.usage.output_tokens for e in scene.entries if e.usage)
    assert set(answers) <= {200, 429}
    assert await scene.counters() == (0, used)
