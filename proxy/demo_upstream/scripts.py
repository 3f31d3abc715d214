"""What is sent for a request, byte by byte and with which ending: a function of the answer and the behaviour."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from proxy.demo_upstream.answers import (
    Answer,
    Json,
    Status,
    Usage,
    closing_events,
    compaction_json,
    encode_event,
    opening_events,
    response_json,
    terminal_event,
    word_events,
)
from proxy.demo_upstream.behaviours import Behaviour

HALF_EVENT_AFTER = 3
BROKEN = frozenset(("reset", "cut", "hang"))


class Ending(StrEnum):
    """How the connection is left."""

    END = "end"
    CUT = "cut"
    RESET = "reset"
    HANG = "hang"


@dataclass(frozen=True, slots=True)
class Script:
    """What is sent, in order."""

    frames: Sequence[bytes]
    terminal: bytes = b""
    """Sent last; it carries `usage`."""
    usage: Usage | None = None
    outcome: str = "completed"
    ending: Ending = Ending.END
    is_silent: bool = False
    """Not even the head of an answer is sent."""
    content_length: int | None = None
    """None for a stream."""


def stream_script(answer: Answer, behaviour: Behaviour) -> Script:
    """The SSE stream of an answer."""
    events = [*opening_events(answer), *word_events(answer)]
    if behaviour.name in BROKEN:
        return broken(_frames([*events, *closing_events(answer)]), behaviour)
    if behaviour.name == "half_event":
        return half_event(_frames(events), behaviour)
    if behaviour.name in ("failed", "error"):
        return _failing(answer, events[: behaviour.after], behaviour)
    events.extend(closing_events(answer))
    status, usage = ending_of(answer, behaviour)
    terminal = terminal_event(answer, status, usage=usage)
    return Script(_frames(events), encode_event(terminal, len(events)), usage, outcome=status)


def response_script(answer: Answer, behaviour: Behaviour) -> Script:
    """What the Responses API answers: events, or the body of an answer."""
    if answer.request.get("stream") is True:
        return stream_script(answer, behaviour)
    status, usage = ending_of(answer, behaviour)
    failure = failure_json(behaviour) if status == "failed" else None
    body = json.dumps(response_json(answer, status, usage=usage, failure=failure)).encode()
    return body_script(body, usage, status, behaviour)


def compaction_script(answer: Answer, behaviour: Behaviour) -> Script:
    """A compaction, which is never a stream."""
    status, usage = ending_of(answer, behaviour)
    return body_script(json.dumps(compaction_json(answer, usage=usage)).encode(), usage, status, behaviour)


def body_script(body: bytes, usage: Usage | None, status: Status, behaviour: Behaviour) -> Script:
    """A body, whole or in half."""
    half = body[: len(body) // 2]
    if behaviour.name in BROKEN:
        return _broken_body(half, len(body), behaviour)
    if behaviour.name == "half_event":
        return Script([half], outcome="half_event", content_length=len(half))
    return Script([], body, usage, outcome=status, content_length=len(body))


def failure_json(behaviour: Behaviour) -> Json:
    """The `error` object of a failed response."""
    code = behaviour.parameters.get("code", "server_error")
    return {"code": code, "message": "The demo upstream was told to fail."}


def ending_of(answer: Answer, behaviour: Behaviour) -> tuple[Status, Usage | None]:
    """How the answer ends, and what it reports."""
    reports = behaviour.parameters.get("usage")
    match behaviour.name:
        case "no_usage":
            return answer.status, None
        case "incomplete":
            return "incomplete", None if reports == "no" else answer.usage
        case "failed" | "error":
            return "failed", answer.usage if reports == "yes" else None
        case _:
            return answer.status, answer.usage


def _failing(answer: Answer, events: Sequence[Json], behaviour: Behaviour) -> Script:
    if behaviour.name == "error":
        terminal: Json = {"type": "error", **failure_json(behaviour), "param": None}
        return Script(_frames(events), encode_event(terminal, len(events)), outcome="error")
    _, usage = ending_of(answer, behaviour)
    terminal = terminal_event(answer, "failed", usage=usage, failure=failure_json(behaviour))
    return Script(_frames(events), encode_event(terminal, len(events)), usage, outcome="failed")


def half_event(frames: Sequence[bytes], behaviour: Behaviour) -> Script:
    """A stream that ends well in the middle of an event."""
    after = HALF_EVENT_AFTER if behaviour.after is None else behaviour.after
    *whole, last = frames[: after + 1]
    return Script([*whole, last[: len(last) // 2]], outcome="half_event")


def broken(frames: Sequence[bytes], behaviour: Behaviour) -> Script:
    """A stream that breaks off."""
    ending = Ending(behaviour.name)
    if behaviour.after is None:
        return Script([], outcome=behaviour.name, ending=ending, is_silent=True)
    return Script(frames[: behaviour.after], outcome=behaviour.name, ending=ending)


def _broken_body(half: bytes, content_length: int, behaviour: Behaviour) -> Script:
    is_silent = behaviour.after is None
    return Script(
        [] if is_silent else [half],
        outcome=behaviour.name,
        ending=Ending(behaviour.name),
        is_silent=is_silent,
        content_length=content_length,
    )


def _frames(events: Sequence[Json]) -> list[bytes]:
    return [encode_event(event, number) for number, event in enumerate(events)]
