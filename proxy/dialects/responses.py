"""The Responses API: one terminal event ends a stream and carries the report.

Only an event that can carry a report is read as JSON: `response.completed`, `response.incomplete`,
`response.failed`, and a bare `error`, which end a stream.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from types import MappingProxyType

from proxy.dialects.types import OUTPUT_TOKENS_MAX, Content, Reading
from proxy.errors import ProxyError
from proxy.metering.events import Event
from proxy.metering.usage import Terminal, read_error, read_object, read_report

TERMINAL_TYPES = frozenset(("response.completed", "response.incomplete", "response.failed", "error"))
UNNAMED = frozenset(("", "message"))
TERMINAL_TYPE = re.compile(rb'"type"\s*:\s*"(?:response\.(?:completed|incomplete|failed)|error)"')
DELTA_TEXT = re.compile(rb'"delta"\s*:\s*"([^"\\]*(?:\\.[^"\\]*)*)"')
RESPONSE_ID = re.compile(rb'"id"\s*:\s*"(resp_[A-Za-z0-9_-]{1,128})"')
SEQUENCE_NUMBER = re.compile(rb'"sequence_number"\s*:\s*(\d{1,9})\b')


class ResponsesReader:
    """Shows everything, and knows no end but the terminal event."""

    usage = None
    """Nothing is reported before the end."""

    def read(self, event: Event) -> Reading:
        return Reading(event.raw, delta_bytes(event), read_terminal(event))

    def is_whole(self, event: Event) -> bool:
        return read_object(event.data) is not None

    def finish(self) -> Terminal | None:
        return None


class ResponsesDialect:
    """`/responses` and `/responses/compact`."""

    maximum_fields: tuple[str, ...] = ("max_output_tokens",)
    integer_fields: Mapping[str, int] = MappingProxyType({"max_output_tokens": OUTPUT_TOKENS_MAX})

    def choices(self, content: Content) -> int:  # noqa: ARG002
        return 1

    def report_members(self, content: Content) -> Content:  # noqa: ARG002
        return {}

    def open_stream(self, content: Content) -> ResponsesReader:  # noqa: ARG002
        return ResponsesReader()

    def read_whole(self, content: Content) -> Terminal:
        """As the event that would have ended a stream."""
        status = content.get("status")
        kind = f"response.{status}" if status in ("failed", "incomplete") else "response.completed"
        return Terminal(kind, read_report(content), *read_error(content.get("error")))

    def write_failure(self, error: ProxyError, *, first_sent: bytes, last_sent: bytes) -> bytes:
        """`response.failed`, with the id of the response and the next number."""
        found = RESPONSE_ID.search(first_sent)
        numbers = SEQUENCE_NUMBER.findall(last_sent)
        event = {
            "type": "response.failed",
            "sequence_number": int(numbers[-1]) + 1 if numbers else 0,
            "response": {
                "id": found[1].decode() if found else "resp_failed",
                "object": "response",
                "created_at": int(time.time()),
                "status": "failed",
                "error": {"code": error.code, "message": error.message},
                "incomplete_details": None,
                "output": [],
                "usage": None,
            },
        }
        return b"event: response.failed\ndata: " + json.dumps(event).encode() + b"\n\n"


RESPONSES = ResponsesDialect()


def read_terminal(event: Event) -> Terminal | None:
    """The event as the one that ends a stream; None where it is another one."""
    if not _can_end(event):
        return None
    content = read_object(event.data) or {}
    kind = content.get("type", event.name)
    if kind not in TERMINAL_TYPES:
        return None
    response = content.get("response")
    if not isinstance(response, Mapping):
        response = {}
    error = content if kind == "error" else response.get("error")
    code, message = read_error(error)
    return Terminal(kind, read_report(response), code, message)


def delta_bytes(event: Event) -> int:
    """How much text the event adds to the answer, in bytes as escaped in JSON."""
    if not event.name.endswith(".delta"):
        return 0
    match = DELTA_TEXT.search(event.data)
    return len(match[1]) if match else 0


def _can_end(event: Event) -> bool:
    return event.name in TERMINAL_TYPES or (event.name in UNNAMED and TERMINAL_TYPE.search(event.data) is not None)
