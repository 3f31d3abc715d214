"""Chunks of chat streams for tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

CHAT_USAGE: Mapping[str, Any] = {
    "prompt_tokens": 12,
    "completion_tokens": 30,
    "total_tokens": 42,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 7},
}
DONE = b"data: [DONE]\n\n"


def chunk(text: str, **fields: object) -> bytes:
    """One word; `fields` are of the outermost object."""
    return _chunk([{"index": 0, "delta": {"content": text}, "finish_reason": None}], **fields)


def finish(**fields: object) -> bytes:
    """The last of a choice."""
    return _chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}], **fields)


def report(usage: object = CHAT_USAGE) -> bytes:
    """The chunk that carries nothing but the usage."""
    return _chunk([], usage=usage)


def _chunk(choices: list[object], **fields: object) -> bytes:
    content = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": choices, **fields}
    return b"data: " + json.dumps(content, separators=(",", ":")).encode() + b"\n\n"
