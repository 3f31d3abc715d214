"""The demo upstream going wrong on command, over real connections."""

from __future__ import annotations

import json
import re

import pytest
from aiohttp import ClientPayloadError, ClientSession, ClientTimeout, ServerDisconnectedError
from aiohttp.client_exceptions import ClientConnectionError, ClientOSError

from proxy.demo_upstream.answers import Json
from proxy.demo_upstream.behaviours import QUEUE_BEHAVIOURS_MAX, Behaviour, BehaviourQueue, BehaviourUnknown
from proxy.demo_upstream.running import Serving
from tests.proxy.demo_upstream.test_answering import ASK, events_of
from tests.support.waiting import eventually

STREAM: Json = {**ASK, "stream": True}


async def received(http: ClientSession, behaviour: str, body: Json = STREAM) -> tuple[bytes, Exception | None]:
    """What came of the body, and what ended it early."""
    content = b""
    try:
        async with http.post("/v1/responses", json=body, headers={"x-demo-behaviour": behaviour}) as response:
            async for chunk in response.content.iter_any():
                content += chunk
    except (ClientPayloadError, ClientConnectionError) as exc:
        return content, exc
    return content, None


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 502, 503])
async def test_a_status_is_answered_as_an_error_with_four_keys(http: ClientSession, status: int) -> None:
    async with http.post("/v1/responses", json=STREAM, headers={"x-demo-behaviour": str(status)}) as response:
        assert response.status == status
        assert set((await response.json())["error"]) == {"message", "type", "param", "code"}


async def test_a_rate_limit_names_its_wait(http: ClientSession) -> None:
    async with http.post("/v1/responses", json=ASK, headers={"x-demo-behaviour": "429;retry-after=7"}) as response:
        assert response.headers["retry-after"] == "7"
        assert (await response.json())["error"]["code"] == "rate_limit_exceeded"


async def test_a_used_up_window_is_told_as_for_chatgpt_accounts(http: ClientSession) -> None:
    behaviour = "429;kind=usage;retry-after=3600"
    async with http.post("/v1/responses", json=ASK, headers={"x-demo-behaviour": behaviour}) as response:
        error = (await response.json())["error"]
        assert error["type"] == "usage_limit_reached"
        assert response.headers["x-codex-primary-reset-at"] == str(error["resets_at"])
        assert response.headers["x-codex-primary-used-percent"] == "100"


async def test_a_reset_before_the_first_byte_sends_nothing(http: ClientSession) -> None:
    content, failure = await received(http, "reset")
    assert content == b""
    assert isinstance(failure, ClientOSError | ServerDisconnectedError)


@pytest.mark.parametrize("behaviour", ["reset;after=3;ms=5", "cut;after=3", "reset;after=0", "cut;after=0"])
async def test_a_broken_stream_ends_after_its_events_and_without_an_end(http: ClientSession, behaviour: str) -> None:
    content, failure = await received(http, behaviour)
    assert isinstance(failure, ClientPayloadError | ClientOSError)
    assert len(events_of(content)) <= int(behaviour.split("after=")[1][0])


async def test_a_cut_passes_on_what_was_sent_before(http: ClientSession) -> None:
    content, failure = await received(http, "cut;after=5")
    assert failure is not None
    assert len(events_of(content)) == 5


async def test_half_an_event_ends_well_formed(http: ClientSession) -> None:
    content, failure = await received(http, "half_event;after=4")
    assert failure is None
    assert content.count(b"\n\n") == 4
    assert not content.endswith(b"\n\n")


@pytest.mark.parametrize("behaviour", ["cut;after=0", "reset;after=0"])
async def test_an_answer_in_one_piece_is_broken_in_its_middle(http: ClientSession, behaviour: str) -> None:
    content, failure = await received(http, behaviour, ASK)
    assert failure is not None
    assert b'"usage"' not in content


async def test_half_an_answer_is_no_json(http: ClientSession) -> None:
    content, failure = await received(http, "half_event", ASK)
    assert failure is None
    with pytest.raises(ValueError, match="line 1"):
        json.loads(content)


@pytest.mark.parametrize("behaviour", ["hang", "hang;after=2"])
async def test_a_hang_ends_when_the_client_leaves(demo: Serving, http: ClientSession, behaviour: str) -> None:
    with pytest.raises(TimeoutError):
        await read_within(http, behaviour, seconds=0.3)
    await eventually(lambda: demo.upstream.book.entries[-1].outcome == "hang")
    assert demo.upstream.book.entries[-1].usage is None


async def test_a_client_that_leaves_a_slow_stream_is_noted(demo: Serving, http: ClientSession) -> None:
    with pytest.raises(TimeoutError):
        await read_within(http, "slow;ms=50", seconds=0.3)
    await eventually(lambda: demo.upstream.book.entries[-1].outcome == "client_left")


async def read_within(http: ClientSession, behaviour: str, *, seconds: float) -> None:
    timeout = ClientTimeout(total=seconds)
    headers = {"x-demo-behaviour": behaviour}
    async with http.post("/v1/responses", json=STREAM, headers=headers, timeout=timeout) as response:
        await response.read()


async def test_an_end_without_usage(http: ClientSession) -> None:
    content, _ = await received(http, "no_usage")
    terminal = events_of(content)[-1]
    assert terminal["type"] == "response.completed"
    assert response_of(terminal)["usage"] is None


@pytest.mark.parametrize(
    ("behaviour", "kind", "has_usage"),
    [
        ("incomplete", "response.incomplete", True),
        ("incomplete;usage=no", "response.incomplete", False),
        ("failed", "response.failed", False),
        ("failed;usage=yes;after=6", "response.failed", True),
    ],
)
async def test_the_other_endings(http: ClientSession, behaviour: str, kind: str, *, has_usage: bool) -> None:
    content, _ = await received(http, behaviour)
    terminal = events_of(content)[-1]
    assert terminal["type"] == kind
    assert (response_of(terminal)["usage"] is not None) == has_usage


async def test_a_bare_error_event(http: ClientSession) -> None:
    content, _ = await received(http, "error;after=2;code=slow_down")
    assert [event["type"] for event in events_of(content)][2:] == ["error"]
    assert events_of(content)[-1]["code"] == "slow_down"


async def test_a_web_page_where_an_api_should_be(http: ClientSession) -> None:
    async with http.post("/v1/responses", json=STREAM, headers={"x-demo-behaviour": "html;status=502"}) as response:
        assert (response.status, response.content_type) == (502, "text/html")


async def test_queued_behaviours_meet_the_next_requests_of_their_credential(http: ClientSession) -> None:
    await http.post("/demo/behaviours", json={"behaviours": ["500", "503"], "credential": "demo-key"})
    await http.post("/demo/behaviours", json={"behaviours": ["418"], "credential": "another"})
    statuses = []
    for _ in range(3):
        async with http.post("/v1/responses", json=ASK) as response:
            statuses.append(response.status)
    assert statuses == [500, 503, 200]
    async with http.post("/v1/responses", json=ASK, headers={"authorization": "Bearer another"}) as response:
        assert response.status == 418


@pytest.mark.parametrize(
    "body", ["", "{}", '{"behaviours": ["dance"]}', '{"behaviours": ["reset;after=x"]}', '{"behaviours": ["reset;x"]}']
)
async def test_an_unknown_behaviour_is_refused(http: ClientSession, body: str) -> None:
    async with http.post("/demo/behaviours", data=body) as response:
        assert response.status == 400


async def test_an_unknown_behaviour_in_the_header_is_refused(http: ClientSession) -> None:
    async with http.post("/v1/responses", json=ASK, headers={"x-demo-behaviour": "dance"}) as response:
        assert response.status == 400
        assert "dance" in (await response.json())["error"]["message"]


def test_the_queue_is_bounded() -> None:
    queue = BehaviourQueue()
    queue.add([Behaviour("500")] * QUEUE_BEHAVIOURS_MAX, None)
    with pytest.raises(BehaviourUnknown, match="more than"):
        queue.add([Behaviour("500")], None)


async def test_the_book_holds_what_was_reported_and_nothing_else(demo: Serving, http: ClientSession) -> None:
    """B4: an answer without a usage report is none in the book either."""
    content, _ = await received(http, "slow;ms=1")
    for behaviour in ("no_usage", "failed", "cut;after=5", "500", "html", "half_event"):
        await received(http, behaviour)
    async with http.get("/demo/book") as response:
        book = await response.json()
    usage = response_of(events_of(content)[-1])["usage"]
    assert [entry["usage"] for entry in book["entries"]] == [usage, *[None] * 6]
    assert book["totals"]["total_tokens"] == book["entries"][0]["usage"]["total_tokens"]
    assert book["entries"][0]["credential"] == "mo-key"
    async with http.delete("/demo/book") as response:
        assert response.status == 204
    assert demo.upstream.book.as_json()["entries"] == []


async def test_an_expired_token_stays_refused_and_a_refreshed_one_is_let_in(http: ClientSession) -> None:
    async with http.post("/v1/responses", json=ASK, headers={"x-demo-behaviour": "expired_token"}) as response:
        assert response.status == 401
    async with http.post("/v1/responses", json=ASK) as response:
        assert response.status == 401
    form = {"grant_type": "refresh_token", "refresh_token": "any", "client_id": "test"}
    async with http.post("/oauth/token", data=form) as response:
        pair = await response.json()
    headers = {"authorization": f"Bearer {pair['access_token']}"}
    async with http.post("/v1/responses", json=ASK, headers=headers) as response:
        assert response.status == 200


async def test_a_refresh_token_works_once(http: ClientSession) -> None:
    body = {"grant_type": "refresh_token", "refresh_token": "once"}
    statuses = []
    for _ in range(2):
        async with http.post("/oauth/token", json=body) as response:
            statuses.append((response.status, (await response.json()).get("error")))
    assert statuses == [(200, None), (400, "invalid_grant")]


async def test_strict_credentials_are_only_those_made_known_or_issued(http: ClientSession) -> None:
    async with http.post(
        "/demo/credentials", json={"strict": True, "api_keys": ["good"], "refresh_tokens": ["r"]}
    ) as response:
        assert response.status == 200
    for token, status in (("good", 200), ("demo-key", 401), ("", 401)):
        async with http.post("/v1/responses", json=ASK, headers={"authorization": f"Bearer {token}"}) as response:
            assert response.status == status
    async with http.post("/oauth/token", data={"grant_type": "refresh_token", "refresh_token": "x"}) as response:
        assert response.status == 400


async def test_the_api_lists_models_that_it_serves(http: ClientSession) -> None:
    async with http.get("/v1/models") as response:
        models = [item["id"] for item in (await response.json())["data"]]
    for model in models:
        async with http.post("/v1/responses", json={**ASK, "model": model}) as response:
            assert response.status == 200


def response_of(event: Json) -> Json:
    response = event["response"]
    assert isinstance(response, dict)
    return response


def test_every_documented_behaviour_is_known() -> None:
    from proxy.demo_upstream import behaviours

    documented = re.findall(r"^    ([a-z_]+) {2,}", behaviours.__doc__ or "", re.MULTILINE)
    assert {*documented, "honest"} == behaviours.NAMES | behaviours.BREAKING_NAMES
