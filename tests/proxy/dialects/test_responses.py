from __future__ import annotations

import json
from dataclasses import replace

import pytest

from proxy.dialects import RESPONSES
from proxy.dialects.responses import delta_bytes, read_terminal
from proxy.errors import UpstreamFailed
from proxy.metering.events import Event, read_event
from proxy.metering.usage import Terminal, Usage, read_report
from tests.proxy.metering.streams import USAGE, event, terminal

REPORTED = Usage(12, 30, 42, cached_input_tokens=4, reasoning_tokens=7)


def read(raw: bytes) -> Terminal | None:
    return read_terminal(read_event(raw))


@pytest.mark.parametrize("kind", ["response.completed", "response.incomplete", "response.failed"])
def test_every_event_that_ends_a_response_may_carry_its_usage(kind: str) -> None:
    """B4"""
    found = read(terminal(kind))
    assert found is not None
    assert (found.type, found.usage) == (kind, REPORTED)


@pytest.mark.parametrize("data", [b"{", b"[1]", b'{"type":"response.completed"}', b"[" * 100_000, b"\xff"])
def test_a_terminal_event_that_cannot_be_read_still_ends_the_stream(data: bytes) -> None:
    found = read(b"event: response.completed\ndata: " + data + b"\n\n")
    assert found == Terminal("response.completed", None)


def test_an_event_without_a_name_is_known_by_its_type() -> None:
    data = json.dumps({"type": "response.completed", "response": {"usage": USAGE}}).encode()
    found = read(b"data: " + data + b"\n\n")
    assert found == Terminal("response.completed", REPORTED)


def test_text_that_speaks_of_the_end_is_not_the_end() -> None:
    said = 'He said: "type": "response.completed"'
    assert read(event("response.output_text.delta", delta=said)) is None
    assert read(b"data: " + json.dumps({"type": "x", "delta": said}).encode() + b"\n\n") is None
    assert read(b'data: {"type":"x","inner":{"type":"response.completed"}}\n\n') is None


def test_a_failure_tells_its_code() -> None:
    failed = read(event("response.failed", response={"error": {"code": "server_error", "message": "no"}}))
    assert failed == Terminal("response.failed", None, "server_error", "no")
    bare = read(event("error", code="slow_down", message="wait"))
    assert bare == Terminal("error", None, "slow_down", "wait")
    assert bare.is_failure
    wrapped = read(event("error", error={"type": "rate_limit_exceeded", "message": "wait"}))
    assert wrapped is not None
    assert wrapped.error_code == "rate_limit_exceeded"


def test_a_report_says_which_model_answered_at_which_tier() -> None:
    answer = {"model": "gpt-5.1-2025-11-13", "service_tier": "priority", "usage": USAGE}
    for found in (read(event("response.completed", response=answer)), RESPONSES.read_whole(answer)):
        assert found is not None
        assert found.usage == replace(REPORTED, model="gpt-5.1-2025-11-13", service_tier="priority")
    assert read_report({"model": 5, "service_tier": None, "usage": USAGE}) == REPORTED
    assert read_report({"model": "x" * 1000}) is None


def test_a_whole_answer_reports_at_its_top() -> None:
    assert RESPONSES.read_whole({"status": "completed", "usage": USAGE}) == Terminal("response.completed", REPORTED)
    assert RESPONSES.read_whole({"object": "response.compaction", "usage": None}) == Terminal(
        "response.completed", None
    )
    failed = RESPONSES.read_whole({"status": "failed", "error": {"code": "server_error", "message": "no"}})
    assert failed == Terminal("response.failed", None, "server_error", "no")


def test_only_text_that_is_added_counts_as_output() -> None:
    assert delta_bytes(read_event(event("response.output_text.delta", delta='a "b"'))) == 7
    assert delta_bytes(Event(b"", "response.created", b'{"delta":"x"}')) == 0
    assert delta_bytes(Event(b"", "x.delta", b"{}")) == 0


def test_a_late_error_is_a_terminal_event_that_follows_the_last_one() -> None:
    first = b'data: {"response":{"id": "resp_1"},"sequence_number":0}\n\n'
    last = b'data: {"sequence_number":5}\n\ndata: {"sequence_number":6}\n\n'
    written = RESPONSES.write_failure(UpstreamFailed(), first_sent=first, last_sent=last)
    name, data, *_ = written.decode().split("\n")
    content = json.loads(data.removeprefix("data: "))
    assert name == "event: response.failed"
    assert (content["type"], content["sequence_number"]) == ("response.failed", 7)
    assert content["response"]["id"] == "resp_1"
    assert content["response"]["error"]["code"] == "upstream_error"
    assert "error" not in content


def test_an_error_before_any_event_is_written_all_the_same() -> None:
    data = RESPONSES.write_failure(UpstreamFailed(), first_sent=b"", last_sent=b"").decode().split("\n")[1]
    content = json.loads(data.removeprefix("data: "))
    assert (content["response"]["id"], content["sequence_number"]) == ("resp_failed", 0)


def test_everything_of_a_stream_is_shown_and_nothing_held_back() -> None:
    reader = RESPONSES.open_stream({})
    readings = [reader.read(read_event(raw)) for raw in (event("response.created"), terminal())]
    assert [reading.shown for reading in readings] == [event("response.created"), terminal()]
    assert [reading.is_held for reading in readings] == [False, False]
    assert readings[1].terminal == Terminal("response.completed", REPORTED)
    assert (reader.finish(), reader.usage) == (None, None)
