"""Who gets past the guard: every route of the service is walked, so that a new one cannot be forgotten."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterable, Iterator

import httpx2
from starlette.routing import BaseRoute, Route

from dashboard.app import create_api
from dashboard.auth.guard import OPEN, TOTP_DUE
from tests.dashboard.world import Dashboard, code_of, running, set_up_totp, sign_in

PARAMETER = re.compile(r"\{\w+\}")
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
OUTSIDE_THE_API = {("GET", "/healthz"), ("GET", "/openapi.json"), ("HEAD", "/openapi.json")}


def served() -> list[tuple[str, str]]:
    """Method and path of everything that is routed, with an id in place of each parameter."""
    return [
        (method, filled(route.path)) for route in _routes(create_api().routes) for method in sorted(route.methods or ())
    ]


def filled(path: str) -> str:
    return PARAMETER.sub("key-1", path.replace("{sessionId}", "0123456789ab"))


def _routes(routes: Iterable[BaseRoute]) -> Iterator[Route]:
    for route in routes:
        if isinstance(route, Route):
            yield route
        else:
            yield from _routes(route.original_router.routes)  # type: ignore[attr-defined]


def test_the_walk_sees_the_routes() -> None:
    assert ("GET", "/api/accounts") in served()
    assert ("PATCH", "/api/api-keys/key-1") in served()
    documented = {
        (method.upper(), filled(path))
        for path, operations in create_api().openapi()["paths"].items()
        for method in operations
    }
    assert documented <= set(served())


async def test_nothing_but_health_and_sign_in_answers_without_a_session(dashboard: Dashboard) -> None:
    async with dashboard.client() as client:
        for method, path in served():
            answer = await client.request(method, path)
            if (method, path) in OUTSIDE_THE_API:
                assert answer.status_code == 200, path
            elif (method, path) in OPEN:
                assert answer.status_code in (200, 400), path
            else:
                assert code_of(answer) == (401, "not_signed_in"), path


async def test_nothing_more_than_a_code_or_leaving_is_open_to_who_owes_a_code(dashboard: Dashboard) -> None:
    """D1"""
    async with dashboard.signed_in() as operator, dashboard.client() as client:
        await set_up_totp(operator)
        client.headers["X-CSRF-Token"] = (await sign_in(client)).json()["csrfToken"]
        last = ("POST", "/api/auth/logout")
        for method, path in [*(each for each in served() if each != last), last]:
            answer = await client.request(method, path)
            if (method, path) in OUTSIDE_THE_API:
                assert answer.status_code == 200, path
            elif (method, path) in OPEN | TOTP_DUE:
                assert answer.status_code in (200, 204, 400), path
            else:
                assert code_of(answer) == (401, "totp_required"), path


async def test_what_is_not_served_below_api_is_not_told_without_a_session(dashboard: Dashboard) -> None:
    async with dashboard.client() as client:
        for path in ("/api", "/api/", "/api/nothing", "/api/auth/session/more", "/%61pi/accounts"):
            assert code_of(await client.get(path)) == (401, "not_signed_in"), path


async def test_unknown_paths_and_methods_have_the_shape_of_every_error(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator:
        assert code_of(await operator.get("/api/nothing")) == (404, "not_found")
        assert code_of(await operator.get("/api")) == (404, "not_found")
        refused = await operator.put("/api/request-logs")
        assert code_of(refused) == (405, "method_not_allowed")
        assert refused.headers["allow"] == "GET"


async def test_every_unsafe_method_needs_the_token_of_its_session(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator, dashboard.signed_in() as other:
        stolen = other.headers["X-CSRF-Token"]
        for method, path in served():
            if method not in UNSAFE or (method, path) in OPEN:
                continue
            for token in ("", "wrong", stolen):
                answer = await operator.request(method, path, headers={"X-CSRF-Token": token})
                assert code_of(answer) == (403, "csrf_failed"), path


FOREIGN: list[dict[str, str]] = [
    {"origin": "https://elsewhere.example"},
    {"origin": "null"},
    {"origin": ""},
    {"origin": "http://[broken"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
]


async def test_a_page_of_another_site_cannot_sign_in(dashboard: Dashboard) -> None:
    for headers in FOREIGN:
        async with dashboard.client(**headers) as client:
            answer = await client.post("/api/auth/login", json={"password": "x"})
            assert code_of(answer) == (403, "cross_origin"), headers


async def test_the_own_page_can_sign_in(dashboard: Dashboard) -> None:
    async with dashboard.client(origin=dashboard.url, **{"sec-fetch-site": "same-origin"}) as client:
        answer = await client.post("/api/auth/login", json={"password": "x"})
        assert code_of(answer) == (409, "password_not_set")


async def test_a_body_that_a_form_could_send_is_refused(dashboard: Dashboard) -> None:
    async with dashboard.client() as client:
        for media_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
            headers = {"content-type": media_type}
            answer = await client.post("/api/auth/login", content=b'{"password": "x"}', headers=headers)
            assert code_of(answer) == (415, "body_not_json"), media_type


async def test_a_body_above_the_cap_is_refused_before_it_is_read(database_url: str) -> None:
    async with running(database_url, body_bytes_max=100) as dashboard, dashboard.client() as client:
        answer = await client.post("/api/auth/login", json={"password": "x" * 100})
        assert code_of(answer) == (413, "body_too_large")


async def test_a_body_of_unknown_length_is_refused(dashboard: Dashboard) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"{}"

    async with dashboard.client(**{"content-type": "application/json"}) as client:
        answer = await client.post("/api/auth/login", content=pieces())
        assert code_of(answer) == (411, "length_required")


async def test_a_body_that_does_not_arrive_is_not_waited_for(database_url: str) -> None:
    async with running(database_url, body_seconds_max=0.1) as dashboard:
        url = httpx2.URL(dashboard.url)
        reader, writer = await asyncio.open_connection(url.host, url.port)
        head = "POST /api/auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n"
        writer.write(head.encode() + b"{")
        answer = await reader.readuntil(b"}}")
        writer.close()
        assert b" 408 " in answer.splitlines()[0]
        assert b'"body_timeout"' in answer


WRONG_BODIES = [
    b"{",
    b"[" * 100_000,
    b'"text"',
    b"null",
    b"{}",
    b'{"password": 1}',
    b'{"password": "\\ud800"}',
    b'{"password": "x", "\\ud800": 1}',
    b'{"password": ' + b"1" * 5000 + b"}",
    b'{"password": "x", "more": 1}',
    b"\xff\xfe",
]


async def test_a_body_that_cannot_be_used_is_named_and_never_quoted(dashboard: Dashboard) -> None:
    async with dashboard.client(**{"content-type": "application/json"}) as client:
        for body in WRONG_BODIES:
            answer = await client.post("/api/auth/login", content=body)
            assert code_of(answer) == (400, "invalid_request"), body[:40]
            assert "text" not in json.dumps(answer.json())
