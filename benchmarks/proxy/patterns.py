"""What the upstream of a run answers: the model's name says how many events, and how fast."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

EVENTS_MAX = 10_000
INPUT_TOKENS = 20
NAME = re.compile(rb"e(\d{1,5})-p(\d{1,5})")


class Api(StrEnum):
    """Which API is spoken; the value is the path behind a base URL."""

    RESPONSES = "/responses"
    CHAT = "/chat/completions"


@dataclass(frozen=True, slots=True)
class Pattern:
    """A stream of `events` events with a pause of `pause_ms` milliseconds before each of them but the first."""

    events: int
    pause_ms: int = 0

    @property
    def model(self) -> str:
        return f"e{self.events}-p{self.pause_ms}"


BRISK = Pattern(40)
PACED = Pattern(40, 2)
LONG = Pattern(1_000)


def pattern_of(body: bytes) -> Pattern:
    """The pattern that a request's body names; the brisk one where it names none."""
    match = NAME.search(body)
    return Pattern(min(int(match[1]), EVENTS_MAX), int(match[2])) if match else BRISK


def request_body(pattern: Pattern, api: Api) -> bytes:
    """What a caller sends."""
    said = "Tell me something, but not for too long."
    if api is Api.CHAT:
        content: dict[str, object] = {"messages": [{"role": "user", "content": said}]}
    else:
        content = {"input": said, "max_output_tokens": EVENTS_MAX}
    return json.dumps({"model": pattern.model, "stream": True, **content}).encode()


@cache
def frames(events: int, api: Api) -> Sequence[bytes]:
    """The events as bytes; the last one, with the usage, is among them."""
    return _chat_frames(events) if api is Api.CHAT else _response_frames(events)


def _response_frames(events: int) -> Sequence[bytes]:
    said = [
        {
            "type": "response.output_text.delta",
            "sequence_number": number,
            "item_id": "msg_0123456789abcdef0123456789abcdef",
            "output_index": 0,
            "content_index": 0,
            "delta": " something",
            "logprobs": [],
            "obfuscation": "aGVsbG8gd29ybGQ",
        }
        for number in range(1, events - 1)
    ]
    usage = {
        "input_tokens": INPUT_TOKENS,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": events,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": INPUT_TOKENS + events,
    }
    response = {"id": "resp_0123456789abcdef", "object": "response", "created_at": 1, "model": "bench", "output": []}
    first = {"type": "response.created", "sequence_number": 0, "response": {**response, "status": "in_progress"}}
    last = {
        "type": "response.completed",
        "sequence_number": events - 1,
        "response": {**response, "status": "completed", "usage": usage},
    }
    return tuple(_event(f"event: {event['type']}\n", event) for event in (first, *said, last))


def _chat_frames(events: int) -> Sequence[bytes]:
    chunk = {"id": "chatcmpl-0123456789", "object": "chat.completion.chunk", "created": 1, "model": "bench"}
    delta = {"index": 0, "delta": {"role": "assistant", "content": " something"}, "finish_reason": None}
    said = _event("", {**chunk, "choices": [delta]})
    end = _event("", {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    counts = {"prompt_tokens": INPUT_TOKENS, "completion_tokens": events, "total_tokens": INPUT_TOKENS + events}
    usage = _event("", {**chunk, "choices": [], "usage": counts})
    return (*(said for _ in range(events - 3)), end, usage, b"data: [DONE]\n\n")


def _event(name: str, content: dict[str, object]) -> bytes:
    return f"{name}data: {json.dumps(content)}\n\n".encode()
