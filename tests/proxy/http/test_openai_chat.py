"""What the official SDK sees of Chat Completions, tools, failures and its own retries."""

from __future__ import annotations

from typing import Any

import pytest
from openai import APIError, InternalServerError, RateLimitError

from quotad.client.types import CreatedKey
from tests.proxy.http.world import MODEL, World, limit

DAY = limit("total_tokens", 1_000_000)
ASK: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": "Say something."}]}
PARAMETERS: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}}
FUNCTION = {"name": "weather", "parameters": PARAMETERS}
CALLS = {"x-demo-behaviour": 'tool;arguments={"city": "Rome"}'}


async def charged(world: World, key: CreatedKey) -> int:
    """What the key has used, once nothing is held."""
    await world.nothing_held(key)
    return sum(status.used for status in await world.limits(key))


async def test_a_chat_is_answered_and_charged_as_the_upstream_reported(world: World) -> None:
    """S2"""
    key = await world.create_key(DAY)
    async with world.openai(key) as client:
        answer = await client.chat.completions.create(**ASK)
    assert "Say something." in str(answer.choices[0].message.content)
    assert answer.usage is not None
    assert answer.usage.total_tokens == await charged(world, key)


async def test_a_streamed_chat_shows_no_usage_and_is_charged_all_the_same(world: World) -> None:
    """S2"""
    key = await world.create_key(DAY)
    async with world.openai(key) as client:
        chunks = [chunk async for chunk in await client.chat.completions.create(**ASK, stream=True)]
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason == "stop"
    [entry] = world.demo.upstream.book.entries
    assert entry.usage is not None
    assert entry.usage.input_tokens + entry.usage.output_tokens == await charged(world, key)


async def test_a_streamed_chat_shows_its_usage_to_who_asks(world: World) -> None:
    key = await world.create_key(DAY)
    async with world.openai(key) as client:
        stream = await client.chat.completions.create(**ASK, stream=True, stream_options={"include_usage": True})
        chunks = [chunk async for chunk in stream]
    usage = chunks[-1].usage
    assert usage is not None
    assert usage.total_tokens == await charged(world, key)


async def test_a_chat_calls_a_tool_and_goes_on_with_what_it_gave(world: World) -> None:
    key = await world.create_key(DAY)
    tools: Any = [{"type": "function", "function": FUNCTION}]
    async with world.openai(key) as client:
        first = await client.chat.completions.create(**ASK, tools=tools, extra_headers=CALLS)
        [call] = first.choices[0].message.tool_calls or []
        assert call.type == "function"
        assert (call.function.name, call.function.arguments) == ("weather", '{"city": "Rome"}')
        said = [*ASK["messages"], first.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "sun"}]
        second = await client.chat.completions.create(model=MODEL, messages=said, tools=tools, extra_headers=CALLS)
    assert second.choices[0].finish_reason == "stop"
    assert first.usage is not None
    assert second.usage is not None
    assert first.usage.total_tokens + second.usage.total_tokens == await charged(world, key)


async def test_a_streamed_chat_puts_a_tool_call_together(world: World) -> None:
    key = await world.create_key(DAY)
    tools: Any = [{"type": "function", "function": FUNCTION}]
    async with (
        world.openai(key) as client,
        client.chat.completions.stream(**ASK, tools=tools, extra_headers=CALLS) as stream,
    ):
        final = await stream.get_final_completion()
    [call] = final.choices[0].message.tool_calls or []
    assert (final.choices[0].finish_reason, call.function.arguments) == ("tool_calls", '{"city": "Rome"}')


async def test_a_response_calls_a_tool(world: World) -> None:
    key = await world.create_key(DAY)
    tools: Any = [{"type": "function", **FUNCTION, "strict": False}]
    async with (
        world.openai(key) as client,
        client.responses.stream(model=MODEL, input="x", tools=tools, extra_headers=CALLS) as stream,
    ):
        final = await stream.get_final_response()
    [item] = final.output
    assert item.type == "function_call"
    assert (item.name, item.arguments) == ("weather", '{"city": "Rome"}')


@pytest.mark.parametrize("behaviour", ["cut;after=3", "failed;after=3"])
async def test_a_chat_that_breaks_off_raises(world: World, behaviour: str) -> None:
    key = await world.create_key(DAY)
    async with world.openai(key) as client:
        headers = {"x-demo-behaviour": behaviour}
        stream = await client.chat.completions.create(**ASK, stream=True, extra_headers=headers)
        with pytest.raises(APIError):
            async for _ in stream:
                pass
    assert await charged(world, key) == 0


async def test_a_chat_above_its_budget_is_refused_and_not_repeated(world: World) -> None:
    """B7"""
    key = await world.create_key(limit("requests", 0))
    async with world.openai(key, retries=2) as client:
        with pytest.raises(RateLimitError) as caught:
            await client.chat.completions.create(**ASK, stream=True)
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert len(await world.rows(1)) == 1


async def test_the_sdk_repeats_a_503_and_each_try_has_a_reservation_of_its_own(world: World) -> None:
    """Q6"""
    key = await world.create_key(DAY)
    async with world.openai(key, retries=1) as client:
        with pytest.raises(InternalServerError) as caught:
            await client.chat.completions.create(**ASK, extra_headers={"x-demo-behaviour": "503"})
    assert caught.value.code == "server_is_overloaded"
    rows = await world.rows(2)
    assert [row["http_status"] for row in rows] == [503, 503]
    assert len({row["reservation_id"] for row in rows}) == 2
    assert await charged(world, key) == 0
