"""The bare upstream and the callers of the proxy's benchmark agree on what an answer is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from benchmarks.proxy.load import LoadSpec, run
from benchmarks.proxy.patterns import Api, Pattern, pattern_of, request_body
from benchmarks.proxy.upstream import Answering


@asynccontextmanager
async def upstream() -> AsyncIterator[str]:
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        yield f"http://{host}:{port}/v1"


@pytest.mark.parametrize("api", list(Api))
async def test_every_event_of_every_answer_is_counted(api: Api) -> None:
    async with upstream() as url:
        spec = LoadSpec(url, Pattern(12), api=api, connections=5, measured_seconds=0)
        result = await run(spec)
        paced = await run(replace(spec, pattern=Pattern(12, 1)))
    for counted in (result, paced):
        assert (counted.requests, counted.events, counted.errors) == (5, 60, 0)
        assert counted.first_byte is not None


async def test_an_answer_that_is_no_success_is_an_error() -> None:
    async def refuse(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        result = await run(LoadSpec(f"http://127.0.0.1:{port}/v1", Pattern(3), connections=2, measured_seconds=0))
    assert (result.requests, result.errors) == (0, 2)
    assert result.first_error.startswith("HTTP/1.1 503")


def test_a_model_names_its_pattern() -> None:
    assert pattern_of(request_body(Pattern(7, 3), Api.CHAT)) == Pattern(7, 3)
