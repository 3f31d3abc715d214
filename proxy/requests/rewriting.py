"""The body that goes upstream: the caller's bytes, and only where something has to change, that one member. Pure.

Two things ever change: `stream_options.include_usage`, without which a chat stream reports nothing, and the output
maximum, where the operator wants no answer to pass what was granted (`PROXY_CAP_OUTPUT`).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from proxy.metering.hold import HoldAmounts
from proxy.metering.pricing import COST
from proxy.requests.types import Endpoint, ProxyRequest

INLINE_BYTES_MAX = 256 * 1024
"""Rewritten within a few milliseconds."""
WHITESPACE = " \t\r\n"


@dataclass(frozen=True, slots=True)
class UpstreamBodies:
    """One request as it is sent."""

    plain: bytes = field(repr=False)
    """Without what an upstream might not know."""
    reporting: bytes = field(repr=False)
    """Asking for a usage report; the same as `plain` where nothing has to be asked."""


async def rewrite(request: ProxyRequest, output_tokens_max: int | None) -> UpstreamBodies:
    """The bodies for a request whose answer may have this much output; None: as much as it likes."""
    cap = {} if output_tokens_max is None else cap_members(request, output_tokens_max)
    report = request.endpoint.dialect.report_members(request.content)
    if not cap and not report:
        return UpstreamBodies(request.body, request.body)
    if len(request.body) <= INLINE_BYTES_MAX:
        return _bodies(request.body, cap, report)
    return await asyncio.to_thread(_bodies, request.body, cap, report)


def granted_output(hold: HoldAmounts, reserved: Mapping[str, int]) -> int:
    """The output that a grant has room for; `reserved` is empty where all that was asked for was granted.

    Each metric was clipped on its own, down to `hold.min_amounts`; between these and the whole hold the cost of an
    answer grows as its output does.
    """
    granted = {**hold.amounts, **reserved}
    output = min(granted["output_tokens"], granted["total_tokens"] - granted["input_tokens"])
    most, least = hold.amounts, hold.min_amounts
    if granted.get(COST, 0) == most.get(COST, 0) or most[COST] == least[COST]:
        return output
    share = (most["output_tokens"] - least["output_tokens"]) * (granted[COST] - least[COST])
    return min(output, least["output_tokens"] + share // (most[COST] - least[COST]))


def cap_members(request: ProxyRequest, output_tokens_max: int) -> Mapping[str, int]:
    """The maximum to send, in the caller's own fields; empty where its own is not larger, or the API has none."""
    if request.endpoint is Endpoint.COMPACT:
        return {}
    dialect, content = request.endpoint.dialect, request.content
    share = max(1, output_tokens_max // dialect.choices(content))
    named = [name for name in dialect.maximum_fields if content.get(name) is not None]
    if not named:
        return {dialect.maximum_fields[0]: share}
    return {name: share for name in named if content[name] > share}


def set_members(body: bytes, members: Mapping[str, object]) -> bytes:
    """The JSON object with these members: replaced where they stand, else added at the end. All other bytes stay."""
    text = body.decode(json.detect_encoding(body), "surrogatepass")
    missing = dict(members)
    parts: list[str] = []
    start = 0
    for name, value_start, value_end in _members(text, frozenset(members)):
        parts += (text[start:value_start], json.dumps(members[name]))
        start = value_end
        missing.pop(name, None)
    rest = text[start:].rstrip(WHITESPACE).removesuffix("}")
    added = "".join(f",{json.dumps(name)}:{json.dumps(value)}" for name, value in missing.items())
    return "".join((*parts, rest, added, "}")).encode("utf-8", "surrogatepass")


def _bodies(body: bytes, cap: Mapping[str, object], report: Mapping[str, object]) -> UpstreamBodies:
    plain = set_members(body, cap) if cap else body
    return UpstreamBodies(plain, set_members(plain, report) if report else plain)


def _members(text: str, names: frozenset[str]) -> Iterator[tuple[str, int, int]]:
    """Where the values of these members of the outermost object stand. The text is known to be a JSON object."""
    decoder = json.JSONDecoder()
    position = _skip(text, text.index("{") + 1)
    while text[position] == '"':
        name, position = decoder.raw_decode(text, position)
        start = _skip(text, _skip(text, position) + 1)
        _, end = decoder.raw_decode(text, start)
        if name in names:
            yield name, start, end
        position = _skip(text, end)
        position = _skip(text, position + 1) if text[position] == "," else position


def _skip(text: str, position: int) -> int:
    while text[position] in WHITESPACE:
        position += 1
    return position
