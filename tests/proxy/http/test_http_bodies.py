from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Callable, Mapping

import pytest
import zstandard
from starlette.datastructures import Headers
from starlette.types import Message, Receive

from proxy.errors import BadRequest, BodyTimeout, BodyTooLarge, ServerBusy, UnsupportedEncoding
from proxy.http.bodies import BodyBudget, ClientLeft, content_encoding, decompress, read_body

KIB = 1024


def raw_deflate(data: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflater.compress(data) + deflater.flush()


ENCODERS: Mapping[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "raw deflate": ("deflate", raw_deflate),
    "zstd": ("zstd", zstandard.ZstdCompressor().compress),
}


def sends(*messages: Message) -> Receive:
    """A connection that sends these messages and then nothing more."""
    waiting = list(messages)

    async def receive() -> Message:
        if waiting:
            return waiting.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    return receive


def part(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


async def read(receive: Receive, encoding: str = "", budget: BodyBudget | None = None) -> bytes:
    share = (budget or BodyBudget(10_000_000)).open()
    headers = Headers({"content-encoding": encoding})
    return await read_body(receive, headers, share, bytes_max=64 * KIB, seconds_max=0.2, idle_seconds=0.1)


@pytest.mark.parametrize("name", ENCODERS)
async def test_a_compressed_body_is_unfolded(name: str) -> None:
    encoding, encode = ENCODERS[name]
    assert await read(sends(part(encode(b"x" * KIB))), encoding) == b"x" * KIB


@pytest.mark.parametrize("name", ENCODERS)
def test_a_bomb_is_refused_at_the_cap(name: str) -> None:
    encoding, encode = ENCODERS[name]
    with pytest.raises(BodyTooLarge):
        decompress(encoding, encode(b"\0" * (50 * KIB * KIB)), 64 * KIB)


@pytest.mark.parametrize("name", ENCODERS)
def test_a_body_of_exactly_the_cap_is_accepted(name: str) -> None:
    encoding, encode = ENCODERS[name]
    assert len(decompress(encoding, encode(b"\0" * KIB), KIB)) == KIB


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_bytes_that_are_not_what_they_say_are_a_bad_request(encoding: str) -> None:
    with pytest.raises(BadRequest):
        decompress(encoding, b"not compressed at all", KIB)


def test_a_cut_gzip_body_is_a_bad_request() -> None:
    with pytest.raises(BadRequest):
        decompress("gzip", gzip.compress(b"x" * KIB)[:-9], KIB)


@pytest.mark.parametrize("value", ["br", "gzip, gzip", "gzip;q=1"])
def test_other_encodings_are_refused(value: str) -> None:
    with pytest.raises(UnsupportedEncoding):
        content_encoding(value)


@pytest.mark.parametrize(("value", "expected"), [("", None), ("identity", None), ("X-GZIP", "gzip")])
def test_encodings_are_read_in_any_case(value: str, expected: str | None) -> None:
    assert content_encoding(value) == expected


async def test_parts_are_joined() -> None:
    assert await read(sends(part(b"a", more=True), part(b"", more=True), part(b"b"))) == b"ab"


async def test_a_body_above_the_cap_is_refused_and_not_kept() -> None:
    budget = BodyBudget(10_000_000)
    with pytest.raises(BodyTooLarge):
        await read(sends(*[part(b"x" * 32 * KIB, more=True)] * 9), budget=budget)
    assert budget.bytes_held <= 64 * KIB


async def test_a_body_that_stalls_is_let_go() -> None:
    with pytest.raises(BodyTimeout):
        await read(sends(part(b"a", more=True)))


async def test_a_caller_that_leaves_in_its_body_gets_no_answer() -> None:
    with pytest.raises(ClientLeft):
        await read(sends(part(b"a", more=True), {"type": "http.disconnect"}))


async def test_all_bodies_together_are_bounded_and_given_back() -> None:
    budget = BodyBudget(100)
    first, second = budget.open(), budget.open()
    first.take(80)
    with pytest.raises(ServerBusy):
        second.take(21)
    first.close()
    first.close()
    second.take(100)
    assert budget.bytes_held == 100
