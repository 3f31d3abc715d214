"""Chat Completions: chunks without names, a chunk with the usage if it was asked for, then `[DONE]`.

The proxy always asks for the usage. A caller who did not is not shown what only that brought: the last chunk, without
choices, and `"usage": null` in the others. Only chunks with a `usage` or an `error` are read as JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from types import MappingProxyType

from proxy.dialects.types import OUTPUT_TOKENS_MAX, Content, Reading
from proxy.errors import ProxyError
from proxy.metering.events import Event
from proxy.metering.usage import Terminal, Usage, UsageNames, read_error, read_object, read_report

DONE = b"[DONE]"
COMPLETED = "chat.completed"
FAILED = "error"
CHOICES_MAX = 128
"""As the OpenAI API bounds `n`."""
NAMES = UsageNames("prompt_tokens", "completion_tokens", "prompt_tokens_details", "completion_tokens_details")

# In JSON a quote inside a text is escaped, so none of these is found in what a model says.
FINISHED = re.compile(rb'"finish_reason"\s*:\s*"')
TEXT = re.compile(rb'"(?:content|reasoning_content|reasoning|refusal|arguments)"\s*:\s*"([^"\\]*(?:\\.[^"\\]*)*)"')
USAGE = re.compile(rb'"usage"\s*:\s*\{')
ERROR = re.compile(rb'"error"\s*:\s*(?!null\b)')
NULL_USAGE = b',"usage":null'
ONLY_PLAIN_VALUES = re.compile(rb'(?:\s*,\s*"[^"\\]*"\s*:\s*(?:"[^"\\]*"|[\w.+-]+))*\s*\}\s*$')
"""To the end of the outermost object, so that what stands before is a member of that one."""
MEMBER_BEFORE = re.compile(rb',\s*"usage"\s*:\s*null\b')
MEMBER_AFTER = re.compile(rb'"usage"\s*:\s*null\s*(?:,\s*)?')


class ChatReader:
    """Reads chunks; the last usage that they report is the answer's."""

    def __init__(self, *, hides_usage: bool, choices: int) -> None:
        self.usage: Usage | None = None
        self._hides_usage = hides_usage
        self._unfinished = choices
        self._is_over = False
        self._is_held = False

    def read(self, event: Event) -> Reading:
        data = event.data
        if not data:
            return Reading(event.raw)
        if data.strip() == DONE:
            return Reading(event.raw, 0, self._end())
        if self._unfinished > 0:
            self._unfinished -= len(FINISHED.findall(data))
        output_bytes = sum(map(len, TEXT.findall(data)))
        if USAGE.search(data) or ERROR.search(data) or event.name == FAILED:
            return self._read_content(event, output_bytes)
        shown = without_null_usage(event) if self._hides_usage and b'"usage"' in data else event.raw
        # Whatever follows the chunk that looked like the last one, the answer was over with that.
        return Reading(shown, output_bytes, self._end() if self._is_held else None)

    def is_whole(self, event: Event) -> bool:
        return event.data.strip() == DONE or read_object(event.data) is not None

    def finish(self) -> Terminal | None:
        return self._end() if self.usage is not None and self._unfinished <= 0 else None

    def _read_content(self, event: Event, output_bytes: int) -> Reading:
        content = read_object(event.data) or {}
        usage = read_report(content, NAMES)
        self.usage = usage or self.usage
        error = content if event.name == FAILED and "error" not in content else content.get("error")
        if error:
            return Reading(event.raw, output_bytes, self._end(FAILED, *read_error(error)))
        shown = self._shown(event, content)
        if self._is_held or self._is_over:
            return Reading(shown, output_bytes, self._end())
        self._is_held = usage is not None and self._unfinished <= 0
        return Reading(shown, output_bytes, None, self._is_held)

    def _shown(self, event: Event, content: Content) -> bytes:
        is_report_only = content.get("choices") == [] and isinstance(content.get("usage"), Mapping)
        return b"" if self._hides_usage and is_report_only else event.raw

    def _end(self, kind: str = COMPLETED, code: str | None = None, message: str | None = None) -> Terminal | None:
        """The end, once."""
        if self._is_over:
            return None
        self._is_over = True
        return Terminal(kind, self.usage, code, message)


class ChatDialect:
    """`/chat/completions`."""

    maximum_fields: tuple[str, ...] = ("max_completion_tokens", "max_tokens")
    integer_fields: Mapping[str, int] = MappingProxyType(
        {"max_completion_tokens": OUTPUT_TOKENS_MAX, "max_tokens": OUTPUT_TOKENS_MAX, "n": CHOICES_MAX}
    )

    def choices(self, content: Content) -> int:
        return int(content.get("n") or 1)

    def report_members(self, content: Content) -> Content:
        if not content.get("stream") or asks_for_usage(content):
            return {}
        return {"stream_options": {**(content.get("stream_options") or {}), "include_usage": True}}

    def open_stream(self, content: Content) -> ChatReader:
        return ChatReader(hides_usage=not asks_for_usage(content), choices=self.choices(content))

    def read_whole(self, content: Content) -> Terminal:
        error = content.get("error")
        return Terminal(FAILED if error else COMPLETED, read_report(content, NAMES), *read_error(error))

    def write_failure(self, error: ProxyError, *, first_sent: bytes, last_sent: bytes) -> bytes:  # noqa: ARG002
        """An error object, at which SDKs raise."""
        fields = {"message": error.message, "type": error.type, "param": error.param, "code": error.code}
        return b"data: " + json.dumps({"error": fields}).encode() + b"\n\n"


CHAT = ChatDialect()


def asks_for_usage(content: Content) -> bool:
    """The caller itself wants to see the usage in its stream."""
    options = content.get("stream_options")
    return isinstance(options, Mapping) and options.get("include_usage") is True


def without_null_usage(event: Event) -> bytes:
    """The event without the `"usage": null` of its outermost object; every other byte stays."""
    shorter = _without_null_usage(event.data)
    if event.data in event.raw:
        return event.raw.replace(event.data, shorter, 1)
    return b"".join(b"data: " + line + b"\n" for line in shorter.split(b"\n")) + b"\n"


def _without_null_usage(data: bytes) -> bytes:
    at = data.rfind(NULL_USAGE)
    if at >= 0 and ONLY_PLAIN_VALUES.match(data, at + len(NULL_USAGE)):
        return data[:at] + data[at + len(NULL_USAGE) :]
    content = dict(read_object(data) or {})
    if content.pop("usage", 0) is not None:
        return data
    for pattern in (MEMBER_BEFORE, MEMBER_AFTER):
        for match in pattern.finditer(data):
            shorter = data[: match.start()] + data[match.end() :]
            if read_object(shorter) == content:
                return shorter
    return data
