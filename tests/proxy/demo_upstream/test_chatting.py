"""The demo upstream's Chat Completions, and its calls of tools."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession
from openai import APIError, AsyncOpenAI

from proxy.demo_upstream.running import Serving

ASK: dict[str, Any] = {"model": "gpt-5.1", "messages": [{"role": "user", "content": "Say hello to the ledger"}]}
SHOWN: dict[str, Any] = {**ASK, "stream": True, "stream_options": {"include_usage": True}}


@pytest.fixture
async def openai(demo: Serving) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key="demo-key", base_url=demo.base_url, max_retries=0) as client:
        yield client


async def test_a_stream_reports_only_when_asked(demo: Serving, openai: AsyncOpenAI) -> None:
    plain = [chunk async for chunk in await openai.chat.completions.create(**ASK, stream=True)]
    assert all(chunk.usage is None for chunk in plain)
    shown = [chunk async for chunk in await openai.chat.completions.create(**SHOWN)]
    assert shown[-1].usage is not None
    first, second = demo.upstream.book.entries
    assert first.usage is None
    assert second.usage is not None
    assert shown[-1].usage.completion_tokens == second.usage.output_tokens


async def test_several_choices_and_a_maximum_are_kept_to(openai: AsyncOpenAI) -> None:
    answer = await openai.chat.completions.create(**ASK, n=3, max_completion_tokens=2)
    assert [choice.finish_reason for choice in answer.choices] == ["length"] * 3
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 6


async def test_a_failure_is_an_error_object_in_the_stream(openai: AsyncOpenAI) -> None:
    headers = {"x-demo-behaviour": "failed;after=2"}
    stream = await openai.chat.completions.create(**SHOWN, extra_headers=headers)
    with pytest.raises(APIError):
        async for _ in stream:
            pass


async def test_stream_options_are_refused_on_command(http: ClientSession) -> None:
    headers = {"x-demo-behaviour": "no_stream_options"}
    async with http.post("/v1/chat/completions", json=SHOWN, headers=headers) as response:
        assert (response.status, (await response.json())["error"]["param"]) == (400, "stream_options")
    async with http.post("/v1/chat/completions", json={**ASK, "stream": True}, headers=headers) as response:
        assert (await response.text()).endswith("data: [DONE]\n\n")


async def test_a_tool_is_called_until_it_has_answered(http: ClientSession) -> None:
    headers = {"x-demo-behaviour": 'tool;name=run;arguments={"cmd": "ls"}'}
    body = {"model": "gpt-5.1", "input": [{"role": "user", "content": "x"}]}
    async with http.post("/v1/responses", json=body, headers=headers) as response:
        [item] = (await response.json())["output"]
    assert (item["type"], item["name"], json.loads(item["arguments"])) == ("function_call", "run", {"cmd": "ls"})
    body["input"] = [item, {"type": "function_call_output", "call_id": item["call_id"], "output": "a"}]
    async with http.post("/v1/responses", json=body, headers=headers) as response:
        [item] = (await response.json())["output"]
    assert item["type"] == "message"


async def test_a_compaction_may_be_asked_for_by_an_item(http: ClientSession) -> None:
    body = {"model": "gpt-5.1", "input": [{"role": "user", "content": "x"}, {"type": "compaction_trigger"}]}
    async with http.post("/v1/responses", json=body) as response:
        answer = await response.json()
    assert [item["type"] for item in answer["output"]] == ["compaction"]
    assert answer["usage"]["output_tokens"] > 0
