"""What the official SDK sees of the proxy."""

from __future__ import annotations

import pytest
from openai import APIStatusError, AuthenticationError, RateLimitError

from quotad.client.types import WindowKind
from tests.proxy.http.world import MODEL, World, limit

DAY = limit("total_tokens", 1_000_000)


async def test_a_stream_is_relayed_and_charged_as_the_upstream_reported(world: World) -> None:
    """S2"""
    key = await world.create_key(DAY, limit("requests", 10, WindowKind.MINUTE))
    async with world.openai(key) as client:
        stream = await client.responses.create(model=MODEL, input="Say something.", stream=True)
        events = [event async for event in stream]
    assert events[0].type == "response.created"
    last = events[-1]
    assert last.type == "response.completed"
    assert last.response.usage is not None
    await world.nothing_held(key)
    assert {status.limit.metric: status.used for status in await world.limits(key)} == {
        "total_tokens": last.response.usage.total_tokens,
        "requests": 1,
    }
    [row] = await world.rows(1)
    assert (row["status"], row["settlement"], row["total_tokens"]) == (
        "ok",
        "finalized",
        last.response.usage.total_tokens,
    )


async def test_an_answer_carries_the_limits_and_the_reservation(world: World) -> None:
    key = await world.create_key(DAY, limit("requests", 10, WindowKind.MINUTE))
    async with world.openai(key) as client:
        raw = await client.responses.with_raw_response.create(
            model=MODEL, input="x", extra_headers={"x-request-id": "mine.1"}
        )
    headers = raw.headers
    assert raw.parse().output_text
    assert headers["x-request-id"] == "mine.1"
    assert headers["x-quota-reservation-id"]
    assert headers["x-quota-demo"] == "true"
    assert headers["via"] == "1.1 quota-proxy"
    assert headers["x-ratelimit-limit-requests"] == "10"
    assert headers["x-ratelimit-remaining-requests"] == "9"
    assert headers["x-ratelimit-limit-tokens"] == "1000000"
    assert int(headers["x-ratelimit-remaining-tokens"]) < 1_000_000
    assert headers["x-ratelimit-reset-tokens"].endswith("s")
    assert headers["ratelimit"].startswith('"requests:minute";r=9;t=')
    assert '"total_tokens:day";q=1000000;w=86400' in headers["ratelimit-policy"]


async def test_a_stream_is_held_back_by_nobody(world: World) -> None:
    key = await world.create_key(DAY)
    async with world.openai(key) as client:
        raw = await client.responses.with_raw_response.create(model=MODEL, input="x", stream=True)
        assert raw.headers.get_list("cache-control") == ["no-cache"]
        assert raw.headers["x-accel-buffering"] == "no"
        async for _ in raw.parse():
            pass


async def test_compaction_is_relayed_and_charged(world: World) -> None:
    key = await world.create_key(DAY)
    async with world.openai(key) as client:
        compacted = await client.responses.compact(model=MODEL, input="a long talk")
    await world.nothing_held(key)
    assert [status.used for status in await world.limits(key)] == [compacted.usage.total_tokens]


async def test_a_used_up_budget_is_not_retried(world: World) -> None:
    """B7"""
    key = await world.create_key(limit("requests", 1), DAY)
    async with world.openai(key, retries=2) as client:
        await client.responses.create(model=MODEL, input="x")
        with pytest.raises(RateLimitError) as caught:
            await client.responses.create(model=MODEL, input="x")
    error = caught.value
    assert (error.type, error.code) == ("insufficient_quota", "insufficient_quota")
    assert error.response.headers["x-should-retry"] == "false"
    assert int(error.response.headers["retry-after"]) >= 1
    assert error.response.headers["x-ratelimit-remaining-requests"] == "0"
    assert "requests per day: Limit 1, Used 1, Held 0, Requested 1" in error.message
    rows = await world.rows(2)
    assert [(row["status"], row["http_status"]) for row in rows] == [("ok", 200), ("quota", 429)]


async def test_a_request_above_a_whole_limit_is_not_retried(world: World) -> None:
    """B7"""
    key = await world.create_key(limit("total_tokens", 10))
    async with world.openai(key, retries=2) as client:
        with pytest.raises(RateLimitError, match="Request too large") as caught:
            await client.responses.create(model=MODEL, input="x" * 1000)
    assert (caught.value.type, caught.value.code) == ("tokens", "rate_limit_exceeded")
    assert "retry-after" not in caught.value.response.headers
    assert len(await world.rows(1)) == 1


async def test_codex_is_told_when_its_limit_resets(world: World) -> None:
    """B7"""
    key = await world.create_key(limit("requests", 0))
    async with world.openai(key, default_headers={"originator": "codex_exec"}) as client:
        with pytest.raises(RateLimitError) as caught:
            await client.responses.create(model=MODEL, input="x", stream=True)
    body = caught.value.response.json()["error"]
    assert (body["type"], body["code"]) == ("usage_limit_reached", "insufficient_quota")


async def test_a_wrong_key_is_an_authentication_error(world: World) -> None:
    key = await world.create_key(DAY)
    async with world.openai(key) as client:
        with pytest.raises(AuthenticationError) as caught:
            await client.with_options(api_key="sk-wrong").responses.create(model=MODEL, input="x")
    assert caught.value.code == "invalid_api_key"


async def test_models_are_those_that_the_key_may_use(world: World) -> None:
    key = await world.create_key(allowed_models=["gpt-5.1-codex*"])
    async with world.openai(key) as client:
        assert [model.id async for model in client.models.list()] == ["gpt-5.1-codex", "gpt-5.1-codex-mini"]
        everything = await client.with_options(api_key=(await world.create_key()).secret).models.list()
    assert len(everything.data) == 5


async def test_an_upstreams_refusal_of_the_request_reaches_the_caller(world: World) -> None:
    key = await world.create_key(DAY)
    async with world.openai(key) as client:
        with pytest.raises(APIStatusError) as caught:
            await client.responses.create(model=MODEL, input="x", extra_headers={"x-demo-behaviour": "422"})
    assert caught.value.status_code == 422
    await world.nothing_held(key)
