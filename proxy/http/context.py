"""What is known of a request before anything of it is judged, and the id that every answer carries."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils import uuid7

from proxy.http.codex import is_codex
from proxy.http.headers import REQUEST_ID, Header, limit_headers, sane_request_id
from quotad.client.types import KeyDescription

USER_AGENT_CHARS_MAX = 256
"""As much of a user agent as a request-log row keeps."""
ADDRESS_CHARS_MAX = 64
"""Longer than any; what a terminator says of a caller is text from outside, too."""
RETRY_COUNT = re.compile(r"[0-9]{1,4}")


@dataclass(slots=True)
class RequestContext:
    """One request as it arrived, and what was learnt of it since."""

    request_id: str
    start_time: datetime
    method: str
    path: str
    is_codex: bool
    client_address: str | None
    user_agent: str | None
    retry_count: int | None = None
    key: KeyDescription | None = None
    model: str = ""
    stream: bool = False
    pool_headers: tuple[Header, ...] = ()
    """What a caller of the relay is told of the upstream accounts' windows."""

    def limit_headers(self, now: datetime) -> tuple[Header, ...]:
        """What is known so far of the caller's limits; error answers carry it too."""
        return limit_headers(self.key.limits, now) if self.key else ()


def context_of(connection: HTTPConnection) -> RequestContext:
    """The context that `RequestIdentity` made."""
    return cast("RequestContext", connection.scope["proxy.context"])


class RequestIdentity:
    """Outermost middleware: makes the context, and puts `x-request-id` on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        context = _context(scope)
        scope["proxy.context"] = context

        async def identified(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[REQUEST_ID] = context.request_id
            await send(message)

        await self.app(scope, receive, identified)


def _context(scope: Scope) -> RequestContext:
    headers = Headers(scope=scope)
    user_agent = headers.get("user-agent", "")
    client = scope.get("client")
    return RequestContext(
        request_id=sane_request_id(headers.get(REQUEST_ID)) or str(uuid7()),
        start_time=datetime.now(UTC),
        method=scope["method"],
        path=scope["path"],
        is_codex=is_codex(scope["path"], headers.get("originator", ""), user_agent),
        client_address=client[0][:ADDRESS_CHARS_MAX] if client else None,
        user_agent=user_agent[:USER_AGENT_CHARS_MAX] or None,
        retry_count=_retry_count(headers.get("x-stainless-retry-count", "")),
    )


def _retry_count(said: str) -> int | None:
    """What an SDK says about its tries; anything but a small number is no such thing."""
    return int(said) if RETRY_COUNT.fullmatch(said) else None
