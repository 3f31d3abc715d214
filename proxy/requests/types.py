"""What the HTTP side hands to a request's task, and what it gets back first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from proxy.dialects import CHAT, RESPONSES, Dialect
from quotad.client.types import KeyDescription

Header = tuple[str, str]


class Endpoint(StrEnum):
    """What is asked of the upstream; the value is appended to an account's base URL."""

    RESPONSES = "/responses"
    COMPACT = "/responses/compact"
    CHAT = "/chat/completions"

    @property
    def dialect(self) -> Dialect:
        return CHAT if self is Endpoint.CHAT else RESPONSES


@dataclass(frozen=True, slots=True)
class ProxyRequest:
    """One request, read and guarded: nothing has been reserved for it yet."""

    request_id: str
    endpoint: Endpoint
    path: str
    """The path that the caller used, for the request log."""
    body: bytes = field(repr=False)
    """Decompressed, as the caller sent it."""
    content: Mapping[str, Any] = field(repr=False)
    """The parsed body."""
    model: str
    stream: bool
    headers: tuple[Header, ...] = field(repr=False)
    """What of the caller's headers goes upstream."""
    api_key: str | None = field(repr=False)
    """None where key authentication is off: nothing is reserved, nothing is settled."""
    key: KeyDescription | None
    """Policies and defaults of the key where they are known, possibly seconds old; Reserve alone enforces."""
    client_address: str | None
    user_agent: str | None
    is_codex: bool
    start_time: datetime
    retry_count: int | None = None
    """As the caller's SDK counts its tries."""


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """The upstream's status and headers as they came; there is one only once something will be relayed."""

    status: int
    headers: tuple[Header, ...]
