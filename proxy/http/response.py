"""One relayed request as an ASGI response: judge it, hand it to its task, then pass on what the task writes.

The task owns the reservation and outlives the caller; this side only reads its queue while it watches for the caller
to leave. Once `http.response.start` was sent an error can only be a terminal event.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from proxy.errors import ProxyError, QuotaRefused, ServerBusy
from proxy.http.bodies import BodyShare, ClientLeft, read_body
from proxy.http.context import RequestContext, context_of
from proxy.http.errors import error_response
from proxy.http.guards import bearer_key, parse_fields
from proxy.http.headers import (
    RESERVATION_ID,
    VIA,
    Header,
    applies_to,
    forwarded_headers,
    limit_headers,
    overlay,
    returned_headers,
)
from proxy.http.services import Services
from proxy.requests.handle import RequestHandle
from proxy.requests.types import Endpoint, ProxyRequest, ResponseHead

EVENT_STREAM = "text/event-stream"
PING = b": ping\n\n"
LAST_WORD_SECONDS_MAX = 1.0
"""For a terminal event when the server stops; a caller that reads no more is not waited for."""
STREAM_HEADERS: tuple[Header, ...] = (("cache-control", "no-cache"), ("x-accel-buffering", "no"))
"""Buffering intermediaries would hold events back."""


class RelayResponse(Response):
    """The whole exchange of one relayed request."""

    def __init__(self, services: Services, endpoint: Endpoint) -> None:
        super().__init__()
        self._services = services
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises `ProxyError` only before the request has a task, and before anything was sent."""
        context = context_of(Request(scope))
        context.pool_headers = await self._services.accounts.pool_headers()
        share = self._services.bodies.open()
        try:
            request = await self._admit(context, Headers(scope=scope), receive, share)
            handle = self._services.runner.start(request)
            await Exchange(context, request, handle, send, self._services.settings.ping_seconds).run(receive)
        except ClientLeft:
            return
        finally:
            share.close()

    async def _admit(
        self, context: RequestContext, headers: Headers, receive: Receive, share: BodyShare
    ) -> ProxyRequest:
        settings = self._services.settings
        api_key = None
        if settings.needs_key:
            api_key = bearer_key(headers.get("authorization"))
            context.key = await self._services.keys.defaults(api_key)
        body = await read_body(
            receive,
            headers,
            share,
            bytes_max=settings.body_bytes_max,
            seconds_max=settings.body_seconds_max,
            idle_seconds=settings.body_idle_seconds,
        )
        fields = await parse_fields(body, settings.body_containers_max, self._endpoint.dialect)
        context.model, context.stream = fields.model, fields.stream
        return ProxyRequest(
            request_id=context.request_id,
            endpoint=self._endpoint,
            path=context.path,
            body=body,
            content=fields.content,
            model=fields.model,
            stream=fields.stream,
            headers=(*forwarded_headers(headers.items()), ("via", VIA)),
            api_key=api_key,
            key=context.key,
            client_address=context.client_address,
            user_agent=context.user_agent,
            is_codex=context.is_codex,
            start_time=context.start_time,
            retry_count=context.retry_count,
        )


class Exchange:
    """The answer to a request that has a task: head, bytes, pings, and what becomes of a caller who leaves."""

    def __init__(
        self, context: RequestContext, request: ProxyRequest, handle: RequestHandle, send: Send, ping_seconds: float
    ) -> None:
        self._context = context
        self._request = request
        self._handle = handle
        self._send = send
        self._ping_seconds = ping_seconds
        self._is_started = False
        self._is_over = False
        self._is_cut_off = False
        self._sent_at = 0.0

    async def run(self, receive: Receive) -> None:
        """Until the last byte was handed to the server, or the caller left, or the server stops and cuts us off."""
        try:
            async with asyncio.TaskGroup() as children:
                answering = children.create_task(self._answer(children))
                watching = children.create_task(self._watch(receive, answering))
                answering.add_done_callback(lambda _: watching.cancel())
        except asyncio.CancelledError:
            # Only the stopping server cancels us; with its last word the answer is complete, and so are we.
            await self._cut_off()
        finally:
            if not self._is_over or self._is_cut_off:
                self._handle.client_left()

    async def _watch(self, receive: Receive, answering: asyncio.Task[None]) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        # The server says "disconnect" also after a complete answer.
        if not self._is_over:
            self._handle.client_left()
            answering.cancel()

    async def _answer(self, children: asyncio.TaskGroup) -> None:
        try:
            head = await self._handle.head()
            if not _is_stream(head):
                await self._whole(head)
                return
        except ProxyError as error:
            await self._refuse(error)
            return
        await self._start(head, STREAM_HEADERS)
        pinging = children.create_task(self._ping())
        try:
            await self._stream()
        finally:
            pinging.cancel()
        await self._end(b"")

    async def _whole(self, head: ResponseHead) -> None:
        """An answer that is not a stream is sent when it is complete, so that a failure still has a status."""
        body = b"".join([chunk async for chunk in self._handle.body()])
        await self._start(head, (("content-length", str(len(body))),))
        await self._end(body)

    async def _stream(self) -> None:
        try:
            async for chunk in self._handle.body():
                await self._pass_on(chunk)
        except ProxyError as error:
            await self._pass_on(self._failure(error))

    async def _cut_off(self) -> None:
        """The server has no more time for us, but the caller is still there."""
        if self._is_over:
            return
        self._is_cut_off = True
        error = ServerBusy("The server is stopping. Please try again.")
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORD_SECONDS_MAX):
                if self._is_started:
                    await self._end(self._failure(error))
                else:
                    await self._refuse(error)

    async def _ping(self) -> None:
        # Chunks end where events end, so a comment between two of them is in nobody's way.
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(self._sent_at + self._ping_seconds - clock())
            if clock() - self._sent_at >= self._ping_seconds:
                await self._pass_on(PING)

    async def _refuse(self, error: ProxyError) -> None:
        response = error_response(error, codex=self._context.is_codex, headers=self._quota_headers(error))
        self._is_over = True
        await response({"type": "http"}, _nothing_to_receive, self._send)

    async def _start(self, head: ResponseHead, extra: tuple[Header, ...]) -> None:
        ours = (*self._quota_headers(), *extra, ("via", VIA))
        names = {name for name, _ in ours}
        headers = (*(pair for pair in returned_headers(head.headers) if pair[0] not in names), *ours)
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        self._sent_at = asyncio.get_running_loop().time()
        self._is_started = True
        await self._send({"type": "http.response.start", "status": head.status, "headers": raw})

    async def _pass_on(self, chunk: bytes) -> None:
        self._sent_at = asyncio.get_running_loop().time()
        await self._send({"type": "http.response.body", "body": chunk, "more_body": True})

    async def _end(self, chunk: bytes) -> None:
        self._is_over = True
        await self._send({"type": "http.response.body", "body": chunk, "more_body": False})

    def _failure(self, error: ProxyError) -> bytes:
        dialect, handle = self._request.endpoint.dialect, self._handle
        return dialect.write_failure(error, first_sent=handle.first_sent, last_sent=handle.last_sent)

    def _quota_headers(self, error: ProxyError | None = None) -> list[Header]:
        """What is known of the caller's limits: as granted, else as refused, else as last described."""
        limits = self._handle.limits
        if not limits and self._request.key is not None:
            known = [status for status in self._request.key.limits if applies_to(status, self._request.model)]
            refused = error.denial.violations if isinstance(error, QuotaRefused) else ()
            limits = overlay(known, [violation.status for violation in refused])
        headers = [*self._context.pool_headers, *limit_headers(limits, datetime.now(UTC))]
        if self._handle.reservation_id is not None:
            headers.append((RESERVATION_ID, self._handle.reservation_id))
        return headers


def _is_stream(head: ResponseHead) -> bool:
    return any(name.lower() == "content-type" and value.startswith(EVENT_STREAM) for name, value in head.headers)


async def _nothing_to_receive() -> dict[str, str]:
    return {"type": "http.disconnect"}
