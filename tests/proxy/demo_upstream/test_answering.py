"""The demo upstream as an honest server."""

import json
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
from aiohttp import ClientSession
from openai import AsyncOpenAI, NotFoundError

from proxy.demo_upstream.answers import Json, answer, input_tokens
from proxy.demo_upstream.running import Serving

MODEL = "gpt-5.1"
PROMPT = "Say hello to the ledger"
ASK: Json = {"model": MODEL, "input": PROMPT}


def events_of(body: bytes) -> list[Json]:
    return [json.loads(line[6:]) for line in body.split(b"\n") if line.startswith(b"data: ")]


@pytest.fixture
async def openai(demo: Serving) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key="demo-key", base_url=demo.base_url, max_retries=0) as client:
        yield client


async def test_the_openai_package_streams_an_answer_and_reads_its_usage(demo: Serving, openai: AsyncOpenAI) -> None:
    async with openai.responses.stream(model=MODEL, input=PROMPT) as stream:
        final = await stream.get_final_response()
    assert "Say hello to the ledger" in final.output_text
    assert final.usage is not None
    (entry,) = demo.upstream.book.entries
    assert entry.response_id == final.id
    assert entry.usage is not None
    assert entry.usage.as_json() == final.usage.model_dump(exclude_none=True)
    assert final.usage.output_tokens == len(final.output_text.split())


async def test_the_openai_package_reads_an_answer_in_one_piece(openai: AsyncOpenAI) -> None:
    response = await openai.responses.create(model=MODEL, input=PROMPT)
    assert response.status == "completed"
    assert response.usage is not None
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens


async def test_the_openai_package_compacts(openai: AsyncOpenAI) -> None:
    compacted = await openai.responses.compact(model=MODEL, input=PROMPT)
    assert compacted.object == "response.compaction"
    assert compacted.usage.output_tokens > 0


async def test_an_unknown_model_is_not_found(openai: AsyncOpenAI) -> None:
    with pytest.raises(NotFoundError) as caught:
        await openai.responses.create(model="no-such-model", input="x")
    assert caught.value.code == "model_not_found"


async def test_events_come_in_the_order_of_the_api_and_are_numbered(http: ClientSession) -> None:
    async with http.post("/v1/responses", json={**ASK, "stream": True}, headers={"x-demo-words": "3"}) as response:
        events = events_of(await response.read())
    kinds = [str(event["type"]).removeprefix("response.") for event in events]
    assert kinds == [
        *("created", "in_progress", "output_item.added", "content_part.added"),
        *["output_text.delta"] * 3,
        *("output_text.done", "content_part.done", "output_item.done", "completed"),
    ]
    assert all(int(str(b["sequence_number"])) - int(str(a["sequence_number"])) == 1 for a, b in pairwise(events))
    assert response.headers["x-quota-demo"] == "true"


async def test_the_callers_own_maximum_ends_an_answer_as_incomplete(http: ClientSession) -> None:
    async with http.post("/v1/responses", json={**ASK, "max_output_tokens": 2}) as response:
        body = await response.json()
    assert body["status"] == "incomplete"
    assert body["usage"]["output_tokens"] == 2


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b"{}", b'{"model": 7}', b"[" * 100_000])
async def test_a_body_that_is_no_request_is_refused(http: ClientSession, body: bytes) -> None:
    async with http.post("/v1/responses", data=body) as response:
        assert response.status == 400
        assert set((await response.json())["error"]) == {"message", "type", "param", "code"}


def test_the_input_counts_by_its_text_and_an_image_by_itself() -> None:
    text = {"input": [{"role": "user", "content": [{"type": "input_text", "text": "x" * 400}]}]}
    image = {"input": [{"role": "user", "content": [{"image_url": "data:image/png;base64," + "A" * 9000}]}]}
    assert 100 <= input_tokens(text) <= 110
    assert 1000 <= input_tokens(image) <= 1010
    assert input_tokens({}) == 1


def test_the_same_request_is_answered_with_the_same_words() -> None:
    assert answer("resp_1", 0, ASK, None).words == answer("resp_2", 9, ASK, None).words


async def test_a_credential_is_told_its_windows_by_the_usage_endpoint_and_in_headers(http: ClientSession) -> None:
    told = {"credential": "demo-key", "primary_percent": 40, "balance": "3", "sends_headers": True}
    async with http.post("/demo/usage", json=told) as response:
        assert response.status == 204
    async with http.get("/api/codex/usage") as response:
        usage = await response.json()
    assert usage["rate_limit"]["primary_window"]["used_percent"] == 40
    assert usage["rate_limit"]["secondary_window"] is None
    assert usage["credits"]["balance"] == "3"
    async with http.post("/v1/responses", json=ASK) as response:
        assert response.headers["x-codex-primary-used-percent"] == "40.0"
    async with http.post("/demo/usage", json={"credential": "demo-key", "windows": 1}) as response:
        assert response.status == 400
