"""What the demo upstream answers to Chat Completions, misbehaviours included.

A stream ends with the chunk that carries the usage, where `stream_options` asks for it, and `[DONE]`; a failure is an
error object in the middle of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from proxy.demo_upstream.answers import Answer, Json
from proxy.demo_upstream.behaviours import Behaviour
from proxy.demo_upstream.scripts import (
    BROKEN,
    Script,
    body_script,
    broken,
    ending_of,
    failure_json,
    half_event,
)

DONE = b"data: [DONE]\n\n"
FAILURES = frozenset(("failed", "error"))


def chat_script(answer: Answer, behaviour: Behaviour) -> Script:
    """Chunks, or the body of an answer."""
    if answer.request.get("stream") is True:
        return _stream_script(answer, behaviour)
    status, usage = ending_of(answer, behaviour)
    body = error_json(behaviour) if behaviour.name in FAILURES else completion_json(answer, status)
    if usage:
        body["usage"] = usage.as_chat_json()
    return body_script(json.dumps(body).encode(), usage, status, behaviour)


def completion_json(answer: Answer, status: str) -> Json:
    """The whole answer."""
    message: Json = {"role": "assistant", "content": None if answer.call else answer.text, "refusal": None}
    if answer.call:
        message["tool_calls"] = [_call(answer)]
    reason = _finish_reason(answer, status)
    choices: list[Json] = [
        {"index": index, "message": message, "logprobs": None, "finish_reason": reason}
        for index in range(answer.choices)
    ]
    return _envelope(answer, "chat.completion", choices)


def error_json(behaviour: Behaviour) -> Json:
    """A failure that came too late for a status."""
    return {"error": {**failure_json(behaviour), "type": "server_error", "param": None}}


def _stream_script(answer: Answer, behaviour: Behaviour) -> Script:
    status, usage = ending_of(answer, behaviour)
    reports = _asks_for_usage(answer.request)
    chunks = [*_opening(answer), *_words(answer)]
    if behaviour.name in FAILURES:
        chunks = chunks[: behaviour.after]
        return Script(_frames(chunks, reports=reports), _frame(error_json(behaviour)), outcome=behaviour.name)
    frames = _frames([*chunks, *_finishes(answer, status)], reports=reports)
    if behaviour.name in BROKEN:
        return broken(frames, behaviour)
    if behaviour.name == "half_event":
        return half_event(frames, behaviour)
    if usage is None or not reports:
        return Script(frames, DONE, outcome=status)
    report = {**_envelope(answer, "chat.completion.chunk", []), "usage": usage.as_chat_json()}
    return Script(frames, _frame(report) + DONE, usage, outcome=status)


def _opening(answer: Answer) -> Iterator[Json]:
    for index in range(answer.choices):
        yield _chunk(answer, index, {"role": "assistant", "content": None if answer.call else ""})


def _words(answer: Answer) -> Iterator[Json]:
    if answer.call:
        yield _chunk(answer, 0, {"tool_calls": [{"index": 0, **_call(answer)}]})
        return
    for position, word in enumerate(answer.words):
        for index in range(answer.choices):
            yield _chunk(answer, index, {"content": f" {word}" if position else word})


def _finishes(answer: Answer, status: str) -> Iterator[Json]:
    for index in range(answer.choices):
        yield _chunk(answer, index, {}, _finish_reason(answer, status))


def _finish_reason(answer: Answer, status: str) -> str:
    if answer.call:
        return "tool_calls"
    return "length" if status == "incomplete" else "stop"


def _call(answer: Answer) -> Json:
    call = answer.call
    function = {"name": call.name, "arguments": call.arguments} if call else {}
    return {"id": answer.call_id, "type": "function", "function": function}


def _chunk(answer: Answer, index: int, delta: Json, reason: str | None = None) -> Json:
    choice: Json = {"index": index, "delta": delta, "logprobs": None, "finish_reason": reason}
    return _envelope(answer, "chat.completion.chunk", [choice])


def _envelope(answer: Answer, kind: str, choices: list[Json]) -> Json:
    return {
        "id": "chatcmpl-" + answer.response_id.removeprefix("resp_"),
        "object": kind,
        "created": answer.created_at,
        "model": answer.request.get("model"),
        "choices": choices,
    }


def _asks_for_usage(request: Mapping[str, object]) -> bool:
    options = request.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def _frames(chunks: list[Json], *, reports: bool) -> list[bytes]:
    return [_frame({**chunk, "usage": None} if reports else chunk) for chunk in chunks]


def _frame(chunk: Json) -> bytes:
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"
