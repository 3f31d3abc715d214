from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.dialects import CHAT, Reading
from proxy.errors import UpstreamFailed
from proxy.metering.events import read_event
from proxy.metering.usage import Terminal, Usage
from tests.proxy.dialects.chunks import CHAT_USAGE, DONE, chunk, finish, report

REPORTED = Usage(12, 30, 42, cached_input_tokens=4, reasoning_tokens=7)
ASKS: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}


def read(raws: Sequence[bytes], **request: Any) -> list[Reading]:
    reader = CHAT.open_stream(request)
    return [reader.read(read_event(raw)) for raw in raws]


def shown(*raws: bytes, **request: Any) -> bytes:
    return b"".join(reading.shown for reading in read(raws, **request))


def test_the_report_is_held_until_the_end_and_charged_with_it() -> None:
    """B4"""
    readings = read([chunk("a"), finish(), report(), DONE], **ASKS)
    assert [reading.is_held for reading in readings] == [False, False, True, False]
    assert [reading.terminal for reading in readings] == [None, None, None, Terminal("chat.completed", REPORTED)]
    assert [reading.shown for reading in readings] == [chunk("a"), finish(), report(), DONE]


def test_a_caller_who_did_not_ask_sees_neither_report_nor_nulls() -> None:
    stream = [chunk("a", usage=None), finish(usage=None), report(), DONE]
    assert shown(*stream) == chunk("a") + finish() + DONE
    assert shown(*stream, **ASKS) == b"".join(stream)
    assert read(stream)[-1].terminal == Terminal("chat.completed", REPORTED)


def test_without_a_null_nothing_of_a_chunk_changes() -> None:
    odd = b'data:  {"choices" : [ {"delta":{"content":"\\"usage\\": null, \\"error\\": {}"}} ] , "x":1.0}\r\n\r\n'
    assert shown(odd) == odd
    assert read([odd])[0].terminal is None


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"id":"a","usage":null}', b'{"id":"a"}'),
        (b'{"id":"a","usage" : null , "obfuscation":"x","n":1.5}', b'{"id":"a" , "obfuscation":"x","n":1.5}'),
        (b'{"usage":null}', b"{}"),
        (b'{"usage": null, "id":"a"}', b'{"id":"a"}'),
        (b'{"id":"a","usage":null,"more":{"b":[1]}}', b'{"id":"a","more":{"b":[1]}}'),
        (b'{"x":{"y":1,"usage":null},"usage":null,"z":[]}', b'{"x":{"y":1,"usage":null},"z":[]}'),
        (b'{"x":{"y":1,"usage":null}}', b'{"x":{"y":1,"usage":null}}'),
        (b'{"x":[{"usage":null}],"y":1}', b'{"x":[{"usage":null}],"y":1}'),
        (b'{"id":"a","usage":null', b'{"id":"a","usage":null'),
    ],
)
def test_only_the_null_of_the_outermost_object_goes(data: bytes, expected: bytes) -> None:
    assert shown(b"data: " + data + b"\n\n") == b"data: " + expected + b"\n\n"


def test_a_null_in_a_chunk_of_several_lines_goes_too() -> None:
    assert shown(b'data: {"a":1,\ndata: "usage":null}\n\n') == b'data: {"a":1}\n\n'


values = st.recursive(st.text() | st.none() | st.floats(allow_nan=False), st.lists, max_leaves=4)
objects = st.dictionaries(st.text(max_size=5), values, max_size=3)


@given(before=objects, after=objects)
def test_a_chunk_without_its_null_says_the_same_otherwise(before: dict[str, Any], after: dict[str, Any]) -> None:
    content = {**before, "usage": None, **after}
    content["usage"] = None
    raw = b"data: " + json.dumps(content).encode() + b"\n\n"
    del content["usage"]
    assert json.loads(shown(raw).removeprefix(b"data: ")) == content


def test_a_usage_beside_text_is_the_upstreams_own_and_shown() -> None:
    continuous = chunk("a", usage={"prompt_tokens": 1, "completion_tokens": 1})
    assert shown(continuous, finish(usage=CHAT_USAGE), DONE) == continuous + finish(usage=CHAT_USAGE) + DONE


def test_the_last_usage_of_a_stream_is_the_answers() -> None:
    """B4"""
    early = chunk("a", usage={"prompt_tokens": 1, "completion_tokens": 1})
    zero = finish(usage={"prompt_tokens": 0, "completion_tokens": 0})
    assert read([early, zero, report(), DONE])[2].terminal == Terminal("chat.completed", REPORTED)
    assert read([early, finish(), DONE])[-1].terminal == Terminal("chat.completed", Usage(1, 1, 2))


def test_a_stream_ends_once() -> None:
    readings = read([finish(), report(), DONE, report(), DONE], **ASKS)
    assert [reading.terminal is not None for reading in readings] == [False, False, True, False, False]


def test_with_several_choices_all_have_to_be_finished() -> None:
    readings = read([finish(usage=CHAT_USAGE), finish(usage=CHAT_USAGE), DONE], n=2)
    assert [reading.is_held for reading in readings] == [False, True, False]


def test_a_stream_without_done_is_complete_with_finish_reason_and_usage() -> None:
    """B4"""
    reader = CHAT.open_stream({})
    reader.read(read_event(report()))
    assert (reader.finish(), reader.usage) == (None, REPORTED)
    reader.read(read_event(finish()))
    assert reader.finish() == Terminal("chat.completed", REPORTED)
    assert reader.finish() is None


def test_done_without_a_report_ends_without_one() -> None:
    assert read([chunk("a"), finish(), DONE])[-1].terminal == Terminal("chat.completed", None)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b'data: {"error":{"message":"no","type":"server_error","code":null}}\n\n', "server_error"),
        (b'data: {"error":{"message":"no","code":"slow_down"}}\n\n', "slow_down"),
        (b'data: {"error": {"message":"no","code":429},"choices":[]}\n\n', "429"),
        (b'event: error\ndata: {"message":"no","code":"x"}\n\n', "x"),
    ],
)
def test_an_error_object_is_a_failure_and_shown(raw: bytes, code: str) -> None:
    [reading] = read([raw])
    assert reading.terminal == Terminal("error", None, code, "no")
    assert reading.terminal.is_failure
    assert reading.shown == raw


def test_an_error_that_is_null_is_none() -> None:
    assert read([b'data: {"error":null,"choices":[]}\n\n'])[0].terminal is None


@pytest.mark.parametrize("data", [b'{"usage":{', b'["usage"]', b'{"usage":{}}', b'{"usage":{"prompt_tokens":-1}}'])
def test_a_report_that_cannot_be_read_is_unknown(data: bytes) -> None:
    reader = CHAT.open_stream({})
    reader.read(read_event(b"data: " + data + b"\n\n"))
    assert reader.usage is None


def test_text_arguments_and_reasoning_count_as_output() -> None:
    call = {"index": 0, "function": {"name": "f", "arguments": "{}"}}
    deltas = [{"content": 'a"b'}, {"reasoning_content": "why"}, {"refusal": "no"}, {"tool_calls": [call]}]
    counted = [
        reading.output_bytes
        for reading in read([b"data: " + json.dumps({"choices": [{"delta": d}]}).encode() + b"\n\n" for d in deltas])
    ]
    assert counted == [4, 3, 2, 2]


def test_a_late_error_is_an_error_object_with_its_four_keys() -> None:
    written = CHAT.write_failure(UpstreamFailed(), first_sent=b"", last_sent=b"")
    content = json.loads(written.removeprefix(b"data: "))
    assert written.endswith(b"\n\n")
    assert (set(content["error"]), content["error"]["code"]) == ({"message", "type", "param", "code"}, "upstream_error")


def test_a_whole_answer_reports_at_its_top() -> None:
    assert CHAT.read_whole({"usage": CHAT_USAGE}) == Terminal("chat.completed", REPORTED)
    assert CHAT.read_whole({"error": {"code": "x", "message": "no"}}) == Terminal("error", None, "x", "no")


def test_a_stream_is_asked_for_its_usage_unless_its_caller_does() -> None:
    assert CHAT.report_members({"stream": True}) == {"stream_options": {"include_usage": True}}
    kept = {"stream": True, "stream_options": {"include_usage": False, "include_obfuscation": False}}
    assert CHAT.report_members(kept) == {"stream_options": {"include_usage": True, "include_obfuscation": False}}
    assert CHAT.report_members(ASKS) == {}
    assert CHAT.report_members({"stream": False}) == {}
    assert CHAT.report_members({"stream": True, "stream_options": None}) == {"stream_options": {"include_usage": True}}
