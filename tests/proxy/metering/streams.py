"""Streams of events for tests, and ways to cut them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from proxy.metering.events import Event, EventScanner

USAGE: Mapping[str, Any] = {
    "input_tokens": 12,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens": 30,
    "output_tokens_details": {"reasoning_tokens": 7},
    "total_tokens": 42,
}


def event(kind: str, line_end: bytes = b"\n", **fields: object) -> bytes:
    data = json.dumps({"type": kind, **fields}).encode()
    return b"event: " + kind.encode() + line_end + b"data: " + data + line_end + line_end


def terminal(kind: str = "response.completed", usage: object = USAGE, line_end: bytes = b"\n") -> bytes:
    return event(kind, line_end, response={"id": "resp_1", "usage": usage})


def scan(chunks: Sequence[bytes], event_bytes_max: int = 1_000_000) -> tuple[list[Event], bytes]:
    """All events, and what was left."""
    scanner = EventScanner(event_bytes_max)
    events = [found for chunk in chunks for found in scanner.feed(chunk)]
    return events, scanner.rest


def cut(whole: bytes, places: Sequence[int]) -> Iterator[bytes]:
    bounds = [0, *sorted(place % (len(whole) + 1) for place in places), len(whole)]
    return (whole[start:end] for start, end in pairwise(bounds))


line_ends = st.sampled_from([b"\n", b"\r\n"])
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
comments = st.builds(lambda end: b": ping" + end + end, line_ends)
deltas = st.builds(lambda text, end: event("response.output_text.delta", end, delta=text), texts, line_ends)
unknown = st.builds(lambda text, end: event("response.not_known_yet", end, anything=[text]), texts, line_ends)
multi_line = st.builds(lambda end: b"data: {" + end + b'data: "type": "x"}' + end + end, line_ends)
ends = st.builds(lambda kind, end: terminal(kind, line_end=end), st.sampled_from(["response.completed"]), line_ends)
places = st.lists(st.integers(min_value=0, max_value=100_000), max_size=12)
