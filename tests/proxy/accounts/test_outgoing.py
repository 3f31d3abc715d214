"""Calls beside the relayed requests: what is sent, and how an answer that cannot be used ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from proxy.demo_upstream.models import MODELS
from proxy.demo_upstream.running import Serving
from proxy.outgoing import ANSWER_BYTES_MAX, GrantRefused, Outgoing, OutgoingFailed
from servicekit.listening import Listen, bind

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def server(handler: Handler) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    listener = bind(Listen("127.0.0.1", 0), setting="test")
    await web.SockSite(runner, listener).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    await runner.cleanup()


def always(status: int, text: str, **headers: str) -> Handler:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, text=text, headers=headers)

    return answer


async def test_the_models_are_those_that_the_upstream_lists(outgoing: Outgoing, demo: Serving) -> None:
    demo.upstream.credentials.make_known(access=["key"], refresh=[])
    models = await outgoing.models(demo.base_url, {"Authorization": "Bearer key"})
    assert tuple(model["id"] for model in models) == MODELS


async def test_a_refused_list_of_models_says_its_status(outgoing: Outgoing, demo: Serving) -> None:
    with pytest.raises(OutgoingFailed) as caught:
        await outgoing.models(demo.base_url, {"Authorization": "Bearer wrong"})
    assert caught.value.status == 401


@pytest.mark.parametrize("text", ["<html>", "[]", '{"data": 1}', "{}", "[" * 99_999])
async def test_a_list_that_is_none_fails(outgoing: Outgoing, text: str) -> None:
    async with server(always(200, text)) as url:
        with pytest.raises(OutgoingFailed):
            await outgoing.models(url, {})


async def test_items_that_are_no_models_are_left_out(outgoing: Outgoing) -> None:
    async with server(always(200, '{"data": [1, {"id": 2}, {"id": "m"}, {}]}')) as url:
        assert await outgoing.models(url, {}) == ({"id": "m"},)


async def test_an_endless_answer_is_cut_at_its_bound(outgoing: Outgoing) -> None:
    async with server(always(200, " " * (ANSWER_BYTES_MAX + 1))) as url:
        with pytest.raises(OutgoingFailed, match="larger than"):
            await outgoing.models(url, {})


async def test_a_slow_answer_ends_at_the_time_out() -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.05)

    async with Outgoing(timeout_seconds=0.3) as outgoing, server(drip) as url:
        with pytest.raises(OutgoingFailed, match="TimeoutError"):
            await outgoing.models(url, {})


async def test_credentials_do_not_follow_a_redirect(outgoing: Outgoing) -> None:
    asked: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=307, headers={"location": "/elsewhere"})

    async with server(elsewhere) as url:
        with pytest.raises(OutgoingFailed):
            await outgoing.refresh_tokens(f"{url}/token", "client", "refresh")
    assert asked == ["/token"]


async def test_a_refresh_is_a_form_as_the_rfc_wants(outgoing: Outgoing) -> None:
    seen: list[dict[str, object]] = []

    async def token(request: web.Request) -> web.Response:
        seen.append(dict(await request.post()))
        return web.json_response({"access_token": "new"})

    async with server(token) as url:
        grant = await outgoing.refresh_tokens(url, "client", "old")
    assert seen == [{"grant_type": "refresh_token", "refresh_token": "old", "client_id": "client"}]
    assert (grant.access_token, grant.refresh_token) == ("new", "")


@pytest.mark.parametrize(
    ("status", "text", "code"),
    [
        (400, '{"error": "invalid_grant"}', "invalid_grant"),
        (401, '{"error": {"code": "refresh_token_reused", "message": "x"}}', "refresh_token_reused"),
        (401, '{"error": {"type": "invalid_request_error"}}', "invalid_request_error"),
        (400, '{"error": "a\\u0000b"}', "ab"),
    ],
)
async def test_a_definite_refusal_carries_its_code(outgoing: Outgoing, status: int, text: str, code: str) -> None:
    async with server(always(status, text)) as url:
        with pytest.raises(GrantRefused) as caught:
            await outgoing.refresh_tokens(url, "client", "refresh")
    assert caught.value.code == code


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/token", "http://[::/token", "nonsense", ""])
async def test_a_url_that_cannot_be_asked_fails(outgoing: Outgoing, url: str) -> None:
    with pytest.raises(OutgoingFailed):
        await outgoing.refresh_tokens(url, "client", "refresh")
