"""What the demo upstream says, as a function of the request: texts, usage, and the events of a stream.

The usage is honest and deterministic: an output token per word sent, an input token per four bytes of the texts in
`input`, `instructions` and `tools`, or in `messages`, `functions` and `response_format`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import cycle, islice
from typing import Literal

INPUT_BYTES_PER_TOKEN = 4
IMAGE_TOKENS = 1_000
ECHO_WORDS_MAX = 12
WORDS_MAX = 100_000
"""Largest answer that can be asked for: a stream of about 20 MB."""

TEXT_FIELDS = ("input", "instructions", "tools", "messages", "functions", "response_format")
MAXIMUM_FIELDS = ("max_output_tokens", "max_completion_tokens", "max_tokens")
CHOICES_MAX = 16

GREETING = "Hello from the demo upstream! No real model is connected yet, but your request went through the quota:"

Json = dict[str, object]
Status = Literal["in_progress", "completed", "incomplete", "failed"]


@dataclass(frozen=True, slots=True)
class Usage:
    """What an answer reports as used, in tokens."""

    input_tokens: int
    cached_input_tokens: int
    output_tokens: int

    def as_json(self) -> Json:
        """The `usage` object of the Responses API."""
        return {
            "input_tokens": self.input_tokens,
            "input_tokens_details": {"cached_tokens": self.cached_input_tokens, "cache_write_tokens": 0},
            "output_tokens": self.output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": self.input_tokens + self.output_tokens,
        }

    def as_chat_json(self) -> Json:
        """The `usage` object of Chat Completions."""
        return {
            "prompt_tokens": self.input_tokens,
            "completion_tokens": self.output_tokens,
            "total_tokens": self.input_tokens + self.output_tokens,
            "prompt_tokens_details": {"cached_tokens": self.cached_input_tokens},
            "completion_tokens_details": {"reasoning_tokens": 0},
        }


@dataclass(frozen=True, slots=True)
class ToolCall:
    """What the model wants to be run, instead of saying anything."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, before anything of it is sent."""

    response_id: str
    created_at: int
    request: Mapping[str, object]
    words: tuple[str, ...]
    is_cut_short: bool
    """The caller's own maximum ended it."""
    call: ToolCall | None = None
    """The words are its arguments then."""

    @property
    def usage(self) -> Usage:
        tokens = input_tokens(self.request)
        cached = tokens // 2 if self.request.get("prompt_cache_key") else 0
        return Usage(tokens, cached, len(self.words) * self.choices)

    @property
    def is_compaction(self) -> bool:
        """Codex asks for one by the last item of an ordinary request."""
        said = _list(self.request.get("input"))
        return bool(said) and isinstance(said[-1], dict) and said[-1].get("type") == "compaction_trigger"

    @property
    def choices(self) -> int:
        """How often the answer is given, to a chat that wants several."""
        wanted = self.request.get("n") if "messages" in self.request else None
        return min(wanted, CHOICES_MAX) if isinstance(wanted, int) and wanted > 0 else 1

    @property
    def text(self) -> str:
        return " ".join(self.words)

    @property
    def status(self) -> Status:
        return "incomplete" if self.is_cut_short else "completed"

    @property
    def is_message(self) -> bool:
        return self.call is None and not self.is_compaction

    @property
    def call_id(self) -> str:
        return "call_" + self.response_id.removeprefix("resp_")

    @property
    def message_id(self) -> str:
        return "msg_" + self.response_id.removeprefix("resp_")


def answer(response_id: str, created_at: int, request: Mapping[str, object], words: int | None) -> Answer:
    """The answer to a request: `words` of filler, or a greeting that echoes the last thing the user said."""
    said = _filler(words) if words is not None else [*GREETING.split(), *_echo(request)]
    maximum = next((request[name] for name in MAXIMUM_FIELDS if request.get(name)), None)
    kept = said[:maximum] if isinstance(maximum, int) and maximum > 0 else said
    return Answer(response_id, created_at, request, tuple(kept), len(kept) < len(said))


def calling(given: Answer, name: str | None, arguments: str) -> Answer:
    """The answer as a call of a tool, the request's first unless one is named; as it is where a call was answered."""
    tools = [tool_name(tool) for tool in _list(given.request.get("tools"))]
    wanted = name or next((found for found in tools if found), None)
    said = _list(given.request.get("input")) or _list(given.request.get("messages"))
    last = said[-1] if said else None
    is_answered = isinstance(last, dict) and (
        last.get("role") == "tool" or str(last.get("type")).endswith("call_output")
    )
    if wanted is None or is_answered:
        return given
    return replace(given, words=tuple(arguments.split()), is_cut_short=False, call=ToolCall(wanted, arguments))


def tool_name(tool: object) -> str | None:
    """Of a function, in the Responses API's form or in that of Chat Completions."""
    if not isinstance(tool, dict):
        return None
    function = tool.get("function", tool)
    name = function.get("name") if isinstance(function, dict) else None
    return name if isinstance(name, str) else None


def input_tokens(request: Mapping[str, object]) -> int:
    """Tokens of what the model would read."""
    return max(1, sum(_tokens(request.get(name)) for name in TEXT_FIELDS))


def response_json(answer: Answer, status: Status, *, usage: Usage | None, failure: Json | None = None) -> Json:
    """The response object; only a finished one carries output and usage."""
    is_finished = status in ("completed", "incomplete")
    return {
        "id": answer.response_id,
        "object": "response",
        "created_at": answer.created_at,
        "status": status,
        "error": failure,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "instructions": None,
        "max_output_tokens": answer.request.get("max_output_tokens"),
        "metadata": answer.request.get("metadata") or {},
        "model": answer.request.get("model"),
        "output": [_item(answer, "completed")] if is_finished else [],
        "parallel_tool_calls": True,
        "previous_response_id": answer.request.get("previous_response_id"),
        "store": False,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": usage.as_json() if usage else None,
    }


def compaction_json(answer: Answer, *, usage: Usage | None) -> Json:
    """The answer of `/v1/responses/compact`."""
    number = answer.response_id.removeprefix("resp_")
    return {
        "id": answer.response_id,
        "object": "response.compaction",
        "created_at": answer.created_at,
        "output": [{"id": f"cmp_{number}", "type": "compaction", "encrypted_content": answer.text}],
        "usage": usage.as_json() if usage else None,
    }


def opening_events(answer: Answer) -> Iterator[Json]:
    """Everything before the first word."""
    started = response_json(answer, "in_progress", usage=None)
    yield {"type": "response.created", "response": started}
    yield {"type": "response.in_progress", "response": started}
    yield {"type": "response.output_item.added", "output_index": 0, "item": _item(answer, "in_progress")}
    if answer.is_message:
        yield {"type": "response.content_part.added", **_place(answer), "part": _text_part("")}


def word_events(answer: Answer) -> Iterator[Json]:
    """One delta per word; a call's arguments in one."""
    if answer.call is not None:
        place = {"item_id": answer.message_id, "output_index": 0}
        yield {"type": "response.function_call_arguments.delta", **place, "delta": answer.call.arguments}
        return
    if answer.is_compaction:
        return
    for position, word in enumerate(answer.words):
        delta = f" {word}" if position else word
        yield {"type": "response.output_text.delta", **_place(answer), "delta": delta, "logprobs": []}


def closing_events(answer: Answer) -> Iterator[Json]:
    """Everything between the last word and the terminal event."""
    if answer.is_message:
        yield {"type": "response.output_text.done", **_place(answer), "text": answer.text, "logprobs": []}
        yield {"type": "response.content_part.done", **_place(answer), "part": _text_part(answer.text)}
    elif answer.call is not None:
        place = {"item_id": answer.message_id, "output_index": 0}
        yield {"type": "response.function_call_arguments.done", **place, "arguments": answer.call.arguments}
    item = _item(answer, "completed")
    yield {"type": "response.output_item.done", "output_index": 0, "item": item}


def terminal_event(answer: Answer, status: Status, *, usage: Usage | None, failure: Json | None = None) -> Json:
    """The one event that ends a stream."""
    return {"type": f"response.{status}", "response": response_json(answer, status, usage=usage, failure=failure)}


def encode_event(event: Json, sequence_number: int) -> bytes:
    """One SSE frame."""
    data = json.dumps({**event, "sequence_number": sequence_number}, separators=(",", ":"))
    return f"event: {event['type']}\ndata: {data}\n\n".encode()


def _filler(words: int) -> list[str]:
    return list(islice(cycle(["one", "word", "after", "another"]), min(words, WORDS_MAX)))


def _echo(request: Mapping[str, object]) -> list[str]:
    said = _last_user_text(request.get("input") or request.get("messages")).split()
    more = ["…"] if len(said) > ECHO_WORDS_MAX else []
    return [*said[:ECHO_WORDS_MAX], *more]


def _last_user_text(value: object) -> str:
    """The text of the last item in `input`, however the caller wrote it."""
    match value:
        case str():
            return value
        case [*_, last]:
            return _last_user_text(last)
        case {"text": text}:
            return _last_user_text(text)
        case {"content": content}:
            return _last_user_text(content)
        case _:
            return ""


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _tokens(value: object) -> int:
    match value:
        case str():
            size = len(value.encode(errors="replace"))
            return IMAGE_TOKENS if value.startswith("data:image/") else -(-size // INPUT_BYTES_PER_TOKEN)
        case list():
            return sum(_tokens(item) for item in value)
        case dict():
            return sum(_tokens(item) for item in value.values())
        case _:
            return 0


def _place(answer: Answer) -> Json:
    return {"item_id": answer.message_id, "output_index": 0, "content_index": 0}


def _text_part(text: str) -> Json:
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def _item(answer: Answer, status: Status) -> Json:
    """What the answer consists of; nothing is in it before it is completed."""
    is_completed = status == "completed"
    if answer.is_compaction:
        return {"type": "compaction", "id": f"cmp_{answer.message_id}", "encrypted_content": answer.text}
    if answer.call is not None:
        arguments = answer.call.arguments if is_completed else ""
        call: Json = {"type": "function_call", "id": answer.message_id, "call_id": answer.call_id, "status": status}
        return {**call, "name": answer.call.name, "arguments": arguments}
    content = [_text_part(answer.text)] if is_completed else []
    return {"id": answer.message_id, "type": "message", "status": status, "role": "assistant", "content": content}
