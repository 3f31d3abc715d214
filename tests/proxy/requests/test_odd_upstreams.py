"""Upstreams that answer in ways which are allowed, or nearly: what is passed on, and what is charged."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.proxy.metering.streams import USAGE, event, terminal
from tests.proxy.requests.raw_upstream import JSON_HEAD, SSE_HEAD, RawUpstream, raw_upstream
from tests.proxy.requests.scene import MODEL, REQUEST, STREAM, Scene, open_scene, static

CREATED = event("response.created", response={"id": "resp_1"}, sequence_number=0)
DELTA = event("response.output_text.delta", delta="word", sequence_number=1)


@asynccontextmanager
async def answering(
    database_url: str, directory: Path, parts: Sequence[bytes] = (), *, stays_open: bool = False, **settings: Any
) -> AsyncIterator[tuple[Scene, RawUpstream]]:
    async with (
        raw_upstream(parts, stays_open=stays_open) as upstream,
        open_scene(database_url, directory, static("odd", upstream.base_url), **settings) as scene,
    ):
        yield scene, upstream


async def charged(scene: Scene, total_tokens: int | None) -> None:
    """The one reservation is charged with this report; None: it is released."""
    reservation = await scene.the_reservation()
    expected = ("released", None) if total_tokens is None else ("finalized", total_tokens)
    assert (reservation["state"], reservation["actual"].get("total_tokens")) == expected


STREAMS = {
    "unknown events and comments": [b": hello\n\n", CREATED, event("response.brand_new", x=[1]), DELTA, terminal()],
    "carriage returns": [part.replace(b"\n", b"\r\n") for part in (CREATED, DELTA, terminal())],
    "a byte order mark": [b"\xef\xbb\xbf", CREATED, terminal()],
    "bytes one by one": [bytes([byte]) for byte in CREATED + terminal()],
    "events after the end": [CREATED, terminal(), b"data: [DONE]\n\n"],
    "a second end": [CREATED, terminal(), terminal(usage={"input_tokens": 500, "output_tokens": 500})],
    "no names": [b'data: {"type":"response.created"}\n\n', b"data: " + terminal().partition(b"data: ")[2]],
    "only the end": [terminal()],
}


async def test_a_stream_is_passed_on_byte_for_byte_and_charged_once(database_url: str, tmp_path: Path) -> None:
    """S1, S2"""
    async with answering(database_url, tmp_path) as (scene, up):
        for name, parts in STREAMS.items():
            up.parts = [SSE_HEAD, *parts]
            response = await scene.post(STREAM)
            assert response.content == b"".join(parts), name
            assert (await scene.reservation_of(response))["actual"]["total_tokens"] == USAGE["total_tokens"], name


async def test_a_last_event_without_its_empty_line_counts_if_it_is_whole(database_url: str, tmp_path: Path) -> None:
    """B4"""
    async with answering(database_url, tmp_path, [SSE_HEAD, CREATED, terminal()[:-1]]) as (scene, _):
        response = await scene.post(STREAM)
        assert response.content == CREATED + terminal()[:-1] + b"\n\n"
        await charged(scene, USAGE["total_tokens"])


async def test_half_of_a_last_event_is_dropped(database_url: str, tmp_path: Path) -> None:
    async with answering(database_url, tmp_path, [SSE_HEAD, CREATED, terminal()[:-30]]) as (scene, _):
        response = await scene.post(STREAM)
        assert response.content.startswith(CREATED + b"event: response.failed\n")
        assert b"stream_incomplete" in response.content
        await charged(scene, None)


async def test_a_report_that_came_just_before_the_connection_broke_is_charged(
    database_url: str, tmp_path: Path
) -> None:
    """B4: the broken end of the chunked body and the report arrive as one."""
    head = SSE_HEAD.replace(b"connection: close", b"transfer-encoding: chunked")
    body = CREATED + terminal()
    async with answering(database_url, tmp_path, [head + f"{len(body):x}\r\n".encode() + body]) as (scene, _):
        response = await scene.post(STREAM)
        assert response.content == body
        await charged(scene, USAGE["total_tokens"])


async def test_an_upstream_that_does_not_hang_up_is_left(database_url: str, tmp_path: Path) -> None:
    async with answering(database_url, tmp_path, [SSE_HEAD, CREATED, terminal()], stays_open=True) as (scene, _):
        response = await scene.post(STREAM)
        assert response.content == CREATED + terminal()
        await charged(scene, USAGE["total_tokens"])


async def test_an_event_above_the_cap_ends_the_stream_and_is_estimated(database_url: str, tmp_path: Path) -> None:
    huge = event("response.output_text.delta", delta="x" * 5000)
    async with answering(database_url, tmp_path, [SSE_HEAD, CREATED, huge, terminal()], event_bytes_max=1000) as (
        scene,
        _,
    ):
        response = await scene.post(STREAM)
        assert b"upstream_error" in response.content
        assert (await scene.the_reservation())["basis"] == "estimated"


async def test_a_body_above_the_cap_is_an_error_and_is_estimated(database_url: str, tmp_path: Path) -> None:
    body = json.dumps({"output": "x" * 5000, "usage": USAGE}).encode()
    async with answering(database_url, tmp_path, [JSON_HEAD, body], answer_bytes_max=1000) as (scene, _):
        response = await scene.post()
        assert (response.status_code, response.json()["error"]["code"]) == (502, "upstream_error")
        assert (await scene.the_reservation())["basis"] == "estimated"


NO_ANSWERS = (
    b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\nconnection: close\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n<p>",
    SSE_HEAD[:-2] + b"content-encoding: gzip\r\n\r\nxx",
    SSE_HEAD,
    JSON_HEAD,
    JSON_HEAD + b"[1]",
    JSON_HEAD + b"{",
    b"nonsense\r\n\r\n",
    b"",
)


async def test_what_is_no_answer_of_the_api_is_an_error_and_releases(database_url: str, tmp_path: Path) -> None:
    """S12"""
    async with answering(database_url, tmp_path) as (scene, up):
        for answer in NO_ANSWERS:
            up.parts = [answer]
            response = await scene.post()
            assert response.status_code == 502, answer
            assert (await scene.reservation_of(response))["state"] == "released", answer


async def test_an_answer_is_read_as_what_it_is_not_as_what_was_asked_for(database_url: str, tmp_path: Path) -> None:
    async with answering(database_url, tmp_path, [SSE_HEAD, CREATED, terminal()]) as (scene, _):
        response = await scene.post(REQUEST)
        assert response.content == CREATED + terminal()
        await charged(scene, USAGE["total_tokens"])


async def test_a_refusal_that_is_no_json_is_told_in_our_shape(database_url: str, tmp_path: Path) -> None:
    answer = b"HTTP/1.1 418 Teapot\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n<h1>no</h1>"
    async with answering(database_url, tmp_path, [answer]) as (scene, _):
        response = await scene.post()
        assert (response.status_code, response.json()["error"]["code"]) == (418, "upstream_refused")
        await charged(scene, None)


async def test_the_upstream_gets_the_callers_bytes_and_the_accounts_credentials(
    database_url: str, tmp_path: Path
) -> None:
    body = json.dumps({"model": MODEL, "input": "ä" * 700_000, "metadata": {"x": "y"}}, indent=1).encode()
    async with answering(database_url, tmp_path, [JSON_HEAD + json.dumps({"usage": USAGE}).encode()]) as (scene, up):
        headers = {"authorization": f"Bearer {scene.key.secret}", "cookie": "a=b", "x-custom": "kept"}
        response = await scene.client.post("/v1/responses", content=body, headers=headers)
        assert response.status_code == 200
        assert up.bodies == [body]
        sent = dict(up.headers())
        assert sent["authorization"] == "Bearer key-of-odd"
        assert (sent["accept-encoding"], sent["content-type"], sent["x-custom"]) == (
            "identity",
            "application/json",
            "kept",
        )
        assert "cookie" not in sent
        assert scene.key.secret not in str(up.headers())


async def test_a_caller_who_reads_slowly_slows_the_upstream_down(database_url: str, tmp_path: Path) -> None:
    """Back-pressure: what the caller has not read lies upstream, and the report is not lost."""
    big = event("response.output_text.delta", delta="x" * 60_000)
    parts = [SSE_HEAD, CREATED, *([big] * 400), terminal()]
    async with answering(database_url, tmp_path, parts, queue_bytes_max=65_536) as (scene, up):
        async with scene.streaming() as response:
            chunks = response.aiter_bytes()
            size = len(await anext(chunks))
            assert not up.has_sent
            assert [row["state"] for row in await scene.reservations()] == ["reserved"]
            async for chunk in chunks:
                size += len(chunk)
        assert size == sum(map(len, parts)) - len(SSE_HEAD)
        await charged(scene, USAGE["total_tokens"])
