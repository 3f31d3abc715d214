from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.metering.hold import HoldAmounts
from proxy.requests.rewriting import INLINE_BYTES_MAX, granted_output, rewrite, set_members
from proxy.requests.types import Endpoint, ProxyRequest

HELD = {"input_tokens": 100, "output_tokens": 4096, "total_tokens": 4196}
LEAST = {"input_tokens": 100, "output_tokens": 256, "total_tokens": 356}


def request(body: bytes, endpoint: Endpoint = Endpoint.CHAT) -> ProxyRequest:
    content = json.loads(body)
    return ProxyRequest(
        request_id="1",
        endpoint=endpoint,
        path="",
        body=body,
        content=content,
        model="m",
        stream=bool(content.get("stream")),
        headers=(),
        api_key=None,
        key=None,
        client_address=None,
        user_agent=None,
        is_codex=False,
        start_time=datetime.now(UTC),
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"a":1}', b'{"a":1,"x":7}'),
        (b'\n{ "a" : 1.0 , "b":[{"x":null}] } \n', b'\n{ "a" : 1.0 , "b":[{"x":null}] ,"x":7}'),
        (b'{"x":{"y":"}"},"a":1e5}', b'{"x":7,"a":1e5}'),
        (b'{"a": 1, "x" : null}', b'{"a": 1, "x" : 7}'),
        (b'{"a":"\\u0078","\\u0078":[1]}', b'{"a":"\\u0078","\\u0078":7}'),
        ('{"é":"\\ud800"}'.encode(), '{"é":"\\ud800","x":7}'.encode()),
        ('{"a":"é"}'.encode("utf-16"), '{"a":"é","x":7}'.encode()),
    ],
)
def test_only_the_one_member_changes(body: bytes, expected: bytes) -> None:
    assert set_members(body, {"x": 7}) == expected


values = st.recursive(st.none() | st.text() | st.floats(allow_nan=False) | st.integers(), st.lists, max_leaves=5)


@given(
    content=st.dictionaries(st.text(max_size=4) | st.sampled_from(["x", "y"]), values, min_size=1, max_size=6),
    ascii_only=st.booleans(),
    indent=st.none() | st.integers(0, 2),
)
def test_a_body_says_what_it_said_and_in_its_order(
    content: dict[str, Any], *, ascii_only: bool, indent: int | None
) -> None:
    body = json.dumps(content, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass")
    written = json.loads(set_members(body, {"x": {"deep": [1]}, "y": 2}))
    assert list(written.items()) == list({**content, "x": {"deep": [1]}, "y": 2}.items())


async def test_bytes_stay_where_nothing_has_to_change() -> None:
    for body in (b'{ "model":"m", "odd": 1.0 }', b'{"stream":true,"stream_options":{"include_usage":true}}'):
        bodies = await rewrite(request(body), None)
        assert bodies.plain is body
        assert bodies.reporting is body
    responses = request(b'{"stream":true,"stream_options":{}}', Endpoint.RESPONSES)
    assert (await rewrite(responses, None)).reporting is responses.body


async def test_a_chat_stream_is_asked_for_its_usage() -> None:
    bodies = await rewrite(request(b'{"stream":true,"stream_options":{"include_obfuscation":false},"z":1}'), None)
    assert bodies.plain == b'{"stream":true,"stream_options":{"include_obfuscation":false},"z":1}'
    assert json.loads(bodies.reporting)["stream_options"] == {"include_obfuscation": False, "include_usage": True}


@pytest.mark.parametrize(
    ("body", "endpoint", "expected"),
    [
        (b'{"a":1}', Endpoint.RESPONSES, b'{"a":1,"max_output_tokens":600}'),
        (b'{"max_output_tokens":700}', Endpoint.RESPONSES, b'{"max_output_tokens":600}'),
        (b'{"max_output_tokens":600}', Endpoint.RESPONSES, b'{"max_output_tokens":600}'),
        (b'{"a":1}', Endpoint.COMPACT, b'{"a":1}'),
        (b'{"a":1}', Endpoint.CHAT, b'{"a":1,"max_completion_tokens":600}'),
        (b'{"max_tokens":601,"a":1}', Endpoint.CHAT, b'{"max_tokens":600,"a":1}'),
        (b'{"max_completion_tokens":900,"n":4}', Endpoint.CHAT, b'{"max_completion_tokens":150,"n":4}'),
        (b'{"max_completion_tokens":null}', Endpoint.CHAT, b'{"max_completion_tokens":600}'),
        (
            b'{"max_tokens":5,"max_completion_tokens":900}',
            Endpoint.CHAT,
            b'{"max_tokens":5,"max_completion_tokens":600}',
        ),
    ],
)
async def test_output_is_capped_to_the_grant(body: bytes, endpoint: Endpoint, expected: bytes) -> None:
    assert (await rewrite(request(body, endpoint), 600)).plain == expected


async def test_a_large_body_is_rewritten_as_a_small_one() -> None:
    body = json.dumps({"input": "x" * INLINE_BYTES_MAX, "stream": True}).encode()
    assert json.loads((await rewrite(request(body), 5)).reporting) == {
        "input": "x" * INLINE_BYTES_MAX,
        "stream": True,
        "max_completion_tokens": 5,
        "stream_options": {"include_usage": True},
    }


def test_a_grant_has_room_for_what_its_tightest_amount_says() -> None:
    hold = HoldAmounts(HELD, LEAST)
    assert granted_output(hold, {}) == 4096
    assert granted_output(hold, {**HELD, "output_tokens": 300}) == 300
    assert granted_output(hold, {**HELD, "total_tokens": 350}) == 250


def test_a_grant_clipped_in_its_cost_has_room_for_what_that_buys() -> None:
    hold = HoldAmounts({**HELD, "cost_microusd": 4196}, {**LEAST, "cost_microusd": 356})
    assert granted_output(hold, {}) == 4096
    assert granted_output(hold, {**hold.amounts, "cost_microusd": 400}) == 300
    assert granted_output(hold, {**hold.amounts, "cost_microusd": 356}) == 256
