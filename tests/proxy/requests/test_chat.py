"""Chat Completions through the proxy: what is asked of the upstream, what is shown, what is charged."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest

from quotad.client.types import OnMissingUsage
from tests.proxy.dialects.chunks import CHAT_USAGE, DONE, chunk, finish, report
from tests.proxy.requests.raw_upstream import SSE_HEAD
from tests.proxy.requests.scene import MODEL, Scene, open_scene, static
from tests.proxy.requests.test_odd_upstreams import answering, charged
from tests.proxy.requests.test_settlement_of_requests import charged_as_reported, released

CHAT = "/v1/chat/completions"
ASK: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": "Say something."}]}
STREAM: dict[str, Any] = {**ASK, "stream": True}
SHOWN: dict[str, Any] = {**STREAM, "stream_options": {"include_usage": True}}
FAILURE = b'data: {"error":{"message":"no","type":"server_error","code":"server_error"}}\n\n'


def chunks_of(response: httpx2.Response) -> list[dict[str, Any]]:
    """All but `[DONE]`, with which the stream has to end."""
    *frames, done, empty = response.text.split("\n\n")
    assert (done, empty) == ("data: [DONE]", "")
    return [json.loads(frame.removeprefix("data: ")) for frame in frames]


async def post(scene: Scene, body: dict[str, Any], **options: Any) -> httpx2.Response:
    return await scene.post(body, path=CHAT, **options)


async def test_a_stream_is_charged_and_shows_no_usage_to_who_did_not_ask(scene: Scene) -> None:
    """S1, S2"""
    chunks = chunks_of(await post(scene, STREAM))
    assert all(part["choices"] and "usage" not in part for part in chunks)
    total = await charged_as_reported(scene)
    row = await scene.the_row()
    assert (row["path"], row["status"], row["basis"], row["total_tokens"]) == (CHAT, "ok", "reported", total)


async def test_who_asked_sees_the_usage_and_every_null(scene: Scene) -> None:
    """S2"""
    *chunks, last = chunks_of(await post(scene, SHOWN))
    assert all(part["usage"] is None for part in chunks)
    assert (last["choices"], last["usage"]["total_tokens"]) == ([], await charged_as_reported(scene))


async def test_an_answer_that_is_no_stream_is_charged_with_its_report(scene: Scene) -> None:
    """S2"""
    response = await post(scene, ASK)
    assert response.json()["object"] == "chat.completion"
    assert response.json()["usage"]["total_tokens"] == await charged_as_reported(scene)


@pytest.mark.parametrize(("body", "last"), [(STREAM, "data: [DONE]"), (SHOWN, '"choices":[]')])
async def test_the_charge_is_in_the_ledger_before_the_stream_ends(
    scene: Scene, body: dict[str, Any], last: str
) -> None:
    """S1"""
    async with scene.streaming(body=body, path=CHAT) as response:
        async for line in response.aiter_lines():
            if last in line:
                break
        [reservation] = await scene.reservations()
        assert reservation["state"] == "finalized"


async def test_a_caller_who_leaves_is_charged_what_the_upstream_reports(scene: Scene) -> None:
    """S13"""
    async with scene.streaming(body=STREAM, path=CHAT, words=20, behaviour="slow;ms=20") as response:
        async for _ in response.aiter_lines():
            break
    await scene.the_reservation()
    await charged_as_reported(scene)
    assert (await scene.the_row())["status"] == "cancelled"


async def test_an_error_at_the_start_of_a_stream_is_tried_elsewhere(two_accounts: Scene) -> None:
    """S8"""
    two_accounts.misbehave("failed;after=0")
    assert chunks_of(await post(two_accounts, STREAM))
    await charged_as_reported(two_accounts)
    assert [attempt["outcome"] for attempt in (await two_accounts.the_row())["attempts"]] == ["failing", "done"]


async def test_an_error_in_a_stream_is_passed_on_and_nothing_charged(scene: Scene) -> None:
    response = await post(scene, STREAM, behaviour="failed;after=3")
    last = response.text.split("\n\n")[-2]
    assert json.loads(last.removeprefix("data: "))["error"]["code"] == "server_error"
    await released(scene)
    row = await scene.the_row()
    assert (row["status"], row["error_code"]) == ("error", "server_error")


@pytest.mark.parametrize("behaviour", ["cut;after=3", "reset;after=3", "half_event;after=3"])
async def test_half_a_stream_ends_in_an_error_object(scene: Scene, behaviour: str) -> None:
    response = await post(scene, STREAM, behaviour=behaviour)
    *_, last, empty = response.text.split("\n\n")
    error = json.loads(last.removeprefix("data: "))["error"]
    assert (empty, set(error), error["code"]) == ("", {"message", "type", "param", "code"}, "stream_incomplete")
    await released(scene)


@pytest.mark.parametrize(
    ("policy", "state", "basis"),
    [
        (OnMissingUsage.RELEASE, "released", "none"),
        (OnMissingUsage.ESTIMATE, "finalized", "estimated"),
        (OnMissingUsage.RESERVED, "finalized", "reserved"),
    ],
)
async def test_without_a_report_the_keys_policy_decides(
    scene: Scene, policy: OnMissingUsage, state: str, basis: str
) -> None:
    """B4"""
    key = await scene.create_key(policy)
    assert chunks_of(await post(scene, STREAM, behaviour="no_usage", key=key))
    reservation = await scene.the_reservation()
    assert (reservation["state"], (await scene.the_row())["basis"]) == (state, basis)


async def test_an_upstream_that_refuses_stream_options_serves_without_them(scene: Scene) -> None:
    """B4: the same account, and it is asked again only for another model."""
    for _ in range(2):
        assert chunks_of(await post(scene, STREAM, behaviour="no_stream_options"))
    assert [entry.outcome for entry in scene.entries] == ["refused", "completed", "completed"]
    first, second = await scene.rows(2)
    assert [attempt["outcome"] for attempt in first["attempts"]] == ["unreporting", "done"]
    assert [attempt["outcome"] for attempt in second["attempts"]] == ["done"]
    assert chunks_of(await post(scene, {**STREAM, "model": "gpt-5-mini"}, behaviour="no_stream_options"))
    assert [entry.outcome for entry in scene.entries][3:] == ["refused", "completed"]


async def test_a_caller_who_asks_for_what_the_upstream_refuses_is_told(scene: Scene) -> None:
    response = await post(scene, SHOWN, behaviour="no_stream_options")
    assert (response.status_code, response.json()["error"]["param"]) == (400, "stream_options")
    assert len(scene.entries) == 1
    assert chunks_of(await post(scene, STREAM))
    assert [entry.usage is not None for entry in scene.entries] == [False, True]


async def test_only_stream_options_are_added_to_what_the_caller_sent(database_url: str, tmp_path: Path) -> None:
    async with answering(database_url, tmp_path, [SSE_HEAD, chunk("a"), finish(), report(), DONE]) as (scene, up):
        sent = b'{ "stream":true, "odd" : 1.0,"messages":[], "model":"gpt-5.1" }'
        headers = {"authorization": f"Bearer {scene.key.secret}", "content-type": "application/json"}
        response = await scene.client.post(CHAT, content=sent, headers=headers)
        assert response.content == chunk("a") + finish() + DONE
        assert up.bodies == [sent[:-1] + b',"stream_options":{"include_usage": true}}']


WHOLE = [chunk("a"), finish(), report(), DONE]
STREAMS: dict[str, tuple[Sequence[bytes], bytes]] = {
    "no done": ([chunk("a"), finish(), report()], chunk("a") + finish()),
    "nulls": ([chunk("a", usage=None), finish(usage=None), report(), DONE], chunk("a") + finish() + DONE),
    "usage beside the finish": ([chunk("a"), finish(usage=CHAT_USAGE), DONE], b""),
    "done without its empty line": ([chunk("a"), finish(), report(), DONE[:-2]], chunk("a") + finish() + DONE),
    "bytes one by one": (
        [bytes([byte]) for byte in chunk("a") + finish() + report() + DONE],
        chunk("a") + finish() + DONE,
    ),
    "comments": ([b": hi\n\n", chunk("a"), finish(), report(), b": hi\n\n", DONE], b""),
    "an error after the report": ([chunk("a"), finish(), report(), FAILURE], chunk("a") + finish() + FAILURE),
}


async def test_streams_of_many_kinds_are_relayed_and_charged(database_url: str, tmp_path: Path) -> None:
    """S1, S2, B4"""
    async with answering(database_url, tmp_path) as (scene, up):
        for name, (parts, expected) in STREAMS.items():
            up.parts = [SSE_HEAD, *parts]
            response = await post(scene, STREAM)
            assert response.content == (expected or b"".join(parts).replace(report(), b"")), name
            assert (await scene.reservation_of(response))["actual"]["total_tokens"] == 42, name


async def test_an_upstream_that_never_closes_after_its_report_is_let_go(database_url: str, tmp_path: Path) -> None:
    parts = [SSE_HEAD, chunk("a"), finish(), report()]
    async with answering(database_url, tmp_path, parts, stays_open=True) as (scene, _):
        assert (await post(scene, STREAM)).content == chunk("a") + finish()
        await charged(scene, 42)


async def test_a_report_that_is_held_back_is_charged_when_the_caller_has_left(
    database_url: str, tmp_path: Path
) -> None:
    """S13: the end of the drain comes between the report and the end of the stream."""
    parts = [SSE_HEAD, chunk("a"), finish(), report()]
    async with answering(database_url, tmp_path, parts, stays_open=True, drain_seconds=0.1) as (scene, _):
        async with scene.streaming(body=STREAM, path=CHAT) as response:
            async for _ in response.aiter_lines():
                break
        await charged(scene, 42)


async def test_a_stream_that_breaks_after_a_running_usage_is_charged_with_it(database_url: str, tmp_path: Path) -> None:
    """B4"""
    parts = [SSE_HEAD, chunk("a", usage={"prompt_tokens": 3, "completion_tokens": 1})]
    async with answering(database_url, tmp_path, parts) as (scene, _):
        assert b"stream_incomplete" in (await post(scene, STREAM)).content
        await charged(scene, 4)


async def test_a_chat_holds_what_its_messages_and_its_maximum_say(scene: Scene) -> None:
    """Q3"""
    await post(scene, {**ASK, "max_completion_tokens": 100, "n": 3})
    requested = (await scene.the_reservation())["requested"]
    assert (requested["input_tokens"], requested["output_tokens"]) == (5, 300)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, ASK),
        (CHAT, {**ASK, "max_tokens": 5000}),
        ("/v1/responses", {"model": MODEL, "input": "Say something."}),
    ],
)
async def test_output_never_passes_a_clipped_grant(
    database_url: str, tmp_path: Path, path: str, body: dict[str, Any]
) -> None:
    """Q5: where the operator wants it, the upstream is told how much was granted."""
    async with open_scene(database_url, tmp_path, static(), cap_output="on") as scene:
        key = await scene.create_key(OnMissingUsage.RELEASE, max_value=1000)
        response = await scene.post(body, path=path, words=4000, key=key)
        assert response.status_code == 200
        total = response.json()["usage"]["total_tokens"]
        assert 900 < total <= 1000
        assert await scene.counters() == (0, total)


async def test_wrong_fields_of_a_chat_are_named(scene: Scene) -> None:
    response = await post(scene, {**ASK, "n": 0})
    assert (response.status_code, response.json()["error"]["param"]) == (400, "n")
    assert scene.entries == ()
    assert await scene.counters() == (0, 0)
