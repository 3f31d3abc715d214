from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from proxy.metering.events import Event, read_event
from proxy.metering.usage import (
    Terminal,
    Usage,
    delta_bytes,
    read_report,
    read_terminal,
    read_usage,
    read_whole,
    sum_usage,
)
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


@pytest.mark.parametrize(
    "usage",
    [
        None,
        "12",
        [],
        {},
        {"input_tokens": 1},
        {"input_tokens": -1, "output_tokens": 2},
        {"input_tokens": 1.5, "output_tokens": 2},
        {"input_tokens": True, "output_tokens": 2},
        {"input_tokens": "1", "output_tokens": 2},
        {"input_tokens": 10**13, "output_tokens": 2},
    ],
)
def test_usage_that_is_missing_or_malformed_is_unknown_and_not_zero(usage: Any) -> None:
    assert read_usage(usage) is None


def test_details_and_total_may_be_missing() -> None:
    assert read_usage({"input_tokens": 3, "output_tokens": 4}) == Usage(3, 4, 7)
    odd = {"input_tokens": 3, "output_tokens": 4, "total_tokens": "x", "input_tokens_details": 5}
    assert read_usage(odd) == Usage(3, 4, 7)


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
    for found in (read(event("response.completed", response=answer)), read_whole(answer)):
        assert found is not None
        assert found.usage == replace(REPORTED, model="gpt-5.1-2025-11-13", service_tier="priority")
    assert read_report({"model": 5, "service_tier": None, "usage": USAGE}) == REPORTED
    assert read_report({"model": "x" * 1000}) is None


def test_what_was_written_to_the_cache_is_told_apart() -> None:
    details = {"cached_tokens": 1, "cache_write_tokens": 2}
    found = read_usage({"input_tokens": 3, "output_tokens": 4, "input_tokens_details": details})
    assert found == Usage(3, 4, 7, cached_input_tokens=1, cache_write_tokens=2)


def test_a_whole_answer_reports_at_its_top() -> None:
    assert read_whole({"status": "completed", "usage": USAGE}) == Terminal("response.completed", REPORTED)
    assert read_whole({"object": "response.compaction", "usage": None}) == Terminal("response.completed", None)
    failed = read_whole({"status": "failed", "error": {"code": "server_error", "message": "no"}})
    assert failed == Terminal("response.failed", None, "server_error", "no")


def test_what_several_attempts_reported_is_summed() -> None:
    assert sum_usage([REPORTED, Usage(1, 2, 3)]) == Usage(13, 32, 45, cached_input_tokens=4, reasoning_tokens=7)
    assert sum_usage([]) is None


def test_only_text_that_is_added_counts_as_output() -> None:
    assert delta_bytes(read_event(event("response.output_text.delta", delta='a "b"'))) == 7
    assert delta_bytes(Event(b"", "response.created", b'{"delta":"x"}')) == 0
    assert delta_bytes(Event(b"", "x.delta", b"{}")) == 0
