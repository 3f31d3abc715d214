"""Callers that drip, lie, leave or wait, over plain sockets."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from quotad.client.types import CreatedKey
from servicekit import bounded_http
from tests.proxy.http.world import MODEL, World, limit, open_world, serving_proxy
from tests.support.waiting import eventually

GENEROUS = limit("total_tokens", 1_000_000)
BODY = json.dumps({"model": MODEL, "input": "hello", "stream": True}).encode()


@asynccontextmanager
async def connected(world: World) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    address = urlsplit(world.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


def head(key: CreatedKey, *extra: str) -> bytes:
    lines = ["POST /v1/responses HTTP/1.1", "host: proxy", f"authorization: Bearer {key.secret}", *extra]
    return "\r\n".join([*lines, "", ""]).encode()


async def test_a_body_that_stalls_is_answered_in_time(database_url: str, tmp_path: Path) -> None:
    async with open_world(database_url, tmp_path, body_idle_seconds=0.2) as world:
        key = await world.create_key(GENEROUS)
        async with connected(world) as (reader, writer):
            writer.write(head(key, "content-length: 1000") + b'{"model"')
            assert b" 408 " in await reader.readline()
        [row] = await world.rows(1)
        assert (row["error_code"], row["http_status"]) == ("request_timeout", 408)
        assert await world.held(key) == 0


async def test_a_body_that_drips_is_cut_off_as_a_whole(database_url: str, tmp_path: Path) -> None:
    async with open_world(database_url, tmp_path, body_seconds_max=0.5) as world:
        key = await world.create_key(GENEROUS)
        async with connected(world) as (reader, writer):
            writer.write(head(key, "transfer-encoding: chunked"))

            async def drip() -> None:
                while True:
                    writer.write(b"1\r\n \r\n")
                    await asyncio.sleep(0.05)

            dripping = asyncio.create_task(drip())
            assert b" 408 " in await reader.readline()
            dripping.cancel()


async def test_a_chunked_body_is_served(world: World) -> None:
    key = await world.create_key(GENEROUS)
    async with connected(world) as (reader, writer):
        writer.write(head(key, "transfer-encoding: chunked", "connection: close"))
        for part in (BODY[:7], BODY[7:]):
            writer.write(b"%x\r\n%s\r\n" % (len(part), part))
        writer.write(b"0\r\n\r\n")
        answer = await reader.read()
    assert b" 200 " in answer.splitlines()[0]
    assert b"event: response.completed" in answer


async def test_a_content_length_that_is_too_short_does_not_crash(world: World) -> None:
    key = await world.create_key(GENEROUS)
    async with connected(world) as (reader, writer):
        writer.write(head(key, "content-length: 10") + BODY)
        assert b" 400 " in await reader.readline()
    async with world.http() as client:
        assert (await client.get("/healthz")).status_code == 200


async def test_a_caller_that_leaves_in_its_body_holds_nothing(world: World) -> None:
    """S12"""
    key = await world.create_key(GENEROUS)
    async with connected(world) as (_, writer):
        writer.write(head(key, "content-length: 1000") + b'{"model"')
        await eventually(lambda: world.worker.services.bodies.bytes_held > 0)
    await eventually(lambda: world.worker.services.bodies.bytes_held == 0)
    assert await world.held(key) == 0


async def test_a_caller_that_leaves_in_a_stream_is_charged_what_the_upstream_reports(world: World) -> None:
    """B4"""
    key = await world.create_key(GENEROUS)
    async with connected(world) as (reader, writer):
        extra = (f"content-length: {len(BODY)}", "x-demo-behaviour: slow;ms=20", "x-demo-words: 20")
        writer.write(head(key, *extra) + BODY)
        await reader.readuntil(b"event: response.output_text.delta")
    await world.nothing_held(key)
    [row] = await world.rows(1)
    [entry] = world.demo.upstream.book.entries
    assert entry.usage is not None
    assert row["status"] == "cancelled"
    assert row["settlement"] == "finalized"
    assert [status.used for status in await world.limits(key)] == [entry.usage.input_tokens + entry.usage.output_tokens]


async def test_a_caller_that_leaves_before_the_answer_is_noticed(world: World) -> None:
    """S13"""
    key = await world.create_key(GENEROUS)
    async with connected(world) as (_, writer):
        writer.write(head(key, f"content-length: {len(BODY)}", "x-demo-behaviour: hang") + BODY)

        async def is_held() -> bool:
            return await world.held(key) > 0

        await eventually(is_held)
    await world.nothing_held(key)
    [row] = await world.rows(1)
    assert (row["status"], row["settlement"]) == ("cancelled", "released")


async def test_a_silent_stream_is_kept_alive_between_events(database_url: str, tmp_path: Path) -> None:
    async with open_world(database_url, tmp_path, ping_seconds=0.1) as world:
        key = await world.create_key(GENEROUS)
        headers = {"x-demo-behaviour": "slow;ms=250", "x-demo-words": "2"}
        async with world.http(key) as client:
            answer = await client.post("/v1/responses", content=BODY, headers=headers)
        blocks = answer.text.strip().split("\n\n")
        assert ": ping" in blocks
        assert all(block == ": ping" or block.startswith("event: ") for block in blocks)
        assert blocks[-1].startswith("event: response.completed")


async def test_a_worker_that_stops_ends_its_streams_and_settles_them(world: World) -> None:
    """S12"""
    key = await world.create_key(GENEROUS)
    async with serving_proxy(world.worker.services.settings) as (url, _):
        address = urlsplit(url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(head(key, f"content-length: {len(BODY)}", "x-demo-behaviour: hang;after=3") + BODY)
        await reader.readuntil(b"event: response.output_item.added")
    answer = await reader.read()
    writer.close()
    assert b"event: response.failed" in answer
    assert b"server_is_overloaded" in answer
    assert answer.endswith(b"\r\n0\r\n\r\n")
    assert await world.held(key) == 0
    [row] = await world.rows(1)
    assert row["settlement"] in ("finalized", "released")


async def test_headers_that_drip_are_let_go(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_http, "HEADER_SECONDS_MAX", 0.2)
    async with connected(world) as (reader, writer):
        writer.write(b"POST /v1/responses HTTP/1.1\r\nhost: pro")
        assert await reader.read() == b""


async def test_headers_that_never_end_are_let_go(world: World) -> None:
    async with connected(world) as (reader, writer):
        writer.write(b"GET /healthz HTTP/1.1\r\n" + b"x-long: " + b"a" * 300_000)
        with suppress(ConnectionResetError):
            assert await reader.read() == b""


async def test_a_stream_outlives_the_bound_on_headers(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_http, "HEADER_SECONDS_MAX", 0.1)
    key = await world.create_key(GENEROUS)
    async with connected(world) as (reader, writer):
        extra = (f"content-length: {len(BODY)}", "x-demo-behaviour: slow;ms=40", "x-demo-words: 5")
        writer.write(head(key, *extra) + BODY + b"GET /healthz HTTP/1.1\r\nhost: pro")
        assert await reader.readuntil(b"event: response.completed")


async def test_a_caller_who_reads_nothing_is_let_go_and_charged(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S13: its stream is read on for the report, as for anyone who leaves."""
    monkeypatch.setattr(bounded_http, "UNREAD_SECONDS_MAX", 0.3)
    async with open_world(database_url, tmp_path, queue_bytes_max=65_536) as world:
        key = await world.create_key(GENEROUS)
        async with connected(world) as (_, writer):
            connection: socket.socket = writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            writer.write(head(key, f"content-length: {len(BODY)}", "x-demo-words: 60000") + BODY)
            await world.nothing_held(key)
            [row] = await world.rows(1)
        [entry] = world.demo.upstream.book.entries
        assert entry.usage is not None
        assert (row["status"], row["settlement"]) == ("cancelled", "finalized")
        assert row["total_tokens"] == entry.usage.input_tokens + entry.usage.output_tokens
