"""The three journeys: real processes, a real client, and what the ledger holds afterwards."""

from __future__ import annotations

import asyncio
import signal

import openai
import psutil
import pytest

from quotad.client.data import DataClient
from quotad.store.audit import differences
from tests.journeys.conftest import LEASE_SECONDS, MadeKey, connect, counters, create_key, listener_of
from tests.support.stack import RunningStack
from tests.support.waiting import eventually

MODEL = "gpt-5.1"


def client(stack: RunningStack, replica: int, key: MadeKey, **more: object) -> openai.AsyncOpenAI:
    base_url = stack.ready["proxies"][replica] + "/v1"
    return openai.AsyncOpenAI(base_url=base_url, api_key=key.secret, max_retries=0, **more)  # type: ignore[arg-type]


async def streamed_usage(api: openai.AsyncOpenAI, text: str) -> int:
    """Stream one answer; the total tokens that the upstream reported for it."""
    async with api, await api.responses.create(model=MODEL, input=text, stream=True) as stream:
        events = [event async for event in stream]
    assert events[-1].type == "response.completed"
    assert any(event.type == "response.output_text.delta" for event in events)
    usage = events[-1].response.usage
    assert usage is not None
    return usage.total_tokens


async def test_the_ledger_holds_exactly_what_the_upstream_reported(stack: RunningStack) -> None:
    """U1, U2, U4, S2: streams through both replicas."""
    key = create_key(stack, "journey-1", "total_tokens:day:1000000", "requests:day:100")
    reported = [await streamed_usage(client(stack, number % 2, key), f"say {number}") for number in range(6)]
    assert await counters(stack, key, "total_tokens") == (sum(reported), 0)
    assert await counters(stack, key, "requests") == (6, 0)


async def test_parallel_requests_over_both_replicas_never_pass_a_limit(stack: RunningStack) -> None:
    """Q5, B7: 32 at once against a limit of 10; every refusal names it."""
    key = create_key(stack, "journey-2", "requests:day:10")
    outcomes = await asyncio.gather(
        *(streamed_usage(client(stack, number % 2, key), "go") for number in range(32)), return_exceptions=True
    )
    refusals = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert len(refusals) == 22
    for refusal in refusals:
        assert isinstance(refusal, openai.RateLimitError)
        assert "requests per day" in refusal.message
        assert "10" in refusal.message
    assert await counters(stack, key, "requests") == (10, 0)


async def test_a_killed_proxys_hold_comes_back_within_its_lease(stack: RunningStack) -> None:
    """B1, S12: SIGKILL in mid-stream; nothing else is restarted."""
    key = create_key(stack, "journey-3", "total_tokens:day:1000000")
    headers = {"x-demo-behaviour": "slow;ms=200", "x-demo-words": "200"}
    children = {child.pid for child in psutil.Process(stack.process.pid).children()}
    proxy = listener_of(stack.ready["proxies"][0])
    async with client(stack, 0, key, default_headers=headers) as api:
        stream = await api.responses.create(model=MODEL, input="go on and on", stream=True)
        async with stream:
            await anext(aiter(stream))
            used, held = await counters(stack, key, "total_tokens")
            assert (used, held > 0) == (0, True)
            proxy.send_signal(signal.SIGKILL)
            with pytest.raises((openai.APIError, OSError)):
                _ = [event async for event in stream]

    async def is_back() -> bool:
        return await counters(stack, key, "total_tokens") == (0, 0)

    await eventually(is_back, LEASE_SECONDS + 4)
    await eventually(lambda: answers(stack, key), 20)
    left = {child.pid for child in psutil.Process(stack.process.pid).children()}
    assert children - left == {proxy.pid}
    assert await differences(stack.ready["database_url"]) == []


async def answers(stack: RunningStack, key: MadeKey) -> bool:
    """Whether the restarted replica serves again."""
    try:
        return await streamed_usage(client(stack, 0, key), "back?") > 0
    except openai.APIConnectionError:
        return False


async def test_describing_the_demo_key_shows_room_for_ten_turns_of_codex(stack: RunningStack) -> None:
    """A turn of `codex exec` sends about 39 kB."""
    async with connect(stack) as connection:
        description = await DataClient(connection).describe_key(api_key=stack.ready["demo_api_key"])
    tokens = next(status for status in description.limits if status.limit.metric == "total_tokens")
    assert tokens.available >= 10 * (39_000 // 3 + 4096)
