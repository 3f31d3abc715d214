"""S13: leaving early is never cheaper than staying, whenever one leaves and whatever bound of ours then cuts."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import httpx2
import pytest

from proxy.settlement.decision import Charge, Ending, Evidence, Terms, decide
from quotad.client.types import OnMissingUsage
from tests.proxy.metering.tariffs import UNKNOWN, tariff
from tests.proxy.requests.scene import HELD, STREAM, Scene, open_scene, static
from tests.support.waiting import eventually

WORDS = 30
BODY = {**STREAM, "max_output_tokens": WORDS + 20}
MOMENTS = (1, 2, 5, 15, WORDS)
"""Events that a caller has seen when it leaves."""
BOUNDS: dict[str, dict[str, Any]] = {
    "none": {},
    "time": {"drain_seconds": 0.03},
    "bytes": {"drain_bytes_max": 1},
    "number": {"drains_max": 1},
}
BYTES_PER_TOKEN = 3.0


async def leave_after(scene: Scene, events: int) -> None:
    async with scene.streaming(body=BODY, behaviour="slow;ms=10", words=WORDS) as response:
        seen = 0
        async for line in response.aiter_lines():
            seen += line.startswith("data: ")
            if seen == events:
                return


async def charges(scene: Scene, count: int) -> list[int]:
    """In the order in which the requests began."""

    async def all_settled() -> list[int] | None:
        found = [row for row in await scene.reservations() if row["state"] == "finalized"]
        return [row["actual"]["total_tokens"] for row in found] if len(found) == count else None

    return await eventually(all_settled, 20) or []


@pytest.mark.parametrize("bound", BOUNDS)
async def test_leaving_early_is_never_cheaper_than_staying(database_url: str, tmp_path: Path, bound: str) -> None:
    """S13"""
    async with open_scene(database_url, tmp_path, static(), **BOUNDS[bound]) as scene:
        await scene.post(BODY, words=WORDS)
        for events in MOMENTS:
            await leave_after(scene, events)
        stayed, *left = await charges(scene, 1 + len(MOMENTS))
        assert stayed > WORDS
        assert min(left) >= stayed


@pytest.mark.parametrize("policy", list(OnMissingUsage))
@pytest.mark.parametrize("output_tokens", [1, 40, 400])
def test_whatever_share_of_an_answer_came_its_estimate_covers_the_whole(
    policy: OnMissingUsage, output_tokens: int
) -> None:
    """S13: the hold covers every answer up to the caller's own maximum."""
    held = {"input_tokens": 100, "output_tokens": 400, "total_tokens": 500}
    terms = Terms(held, policy, BYTES_PER_TOKEN, tariff(UNKNOWN))
    for came in range(0, output_tokens + 1, max(1, output_tokens // 20)):
        evidence = Evidence(has_begun=True, output_bytes=4 * came, ending=Ending.ABANDONED)
        decision = decide(evidence, terms)
        assert isinstance(decision, Charge)
        assert decision.amounts["total_tokens"] >= held["input_tokens"] + output_tokens


async def ask_and_read_nothing(scene: Scene, words: int) -> asyncio.StreamWriter:
    """A caller with room for a few bytes, who never reads."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    url = httpx2.URL(scene.url)
    await asyncio.get_running_loop().sock_connect(sock, (url.host, url.port))
    _, writer = await asyncio.open_connection(sock=sock, limit=1)
    body = json.dumps(dict(STREAM))
    head = f"POST /v1/responses HTTP/1.1\r\nhost: proxy\r\nauthorization: Bearer {scene.key.secret}\r\n"
    head += f"x-demo-words: {words}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write((head + body).encode())
    return writer


async def test_not_to_read_is_no_way_out(database_url: str, tmp_path: Path) -> None:
    """S13: an answer that stalls behind a caller who does not read is charged as one that nobody read to its end."""
    settings: dict[str, Any] = {"queue_bytes_max": 1, "upstream_total_seconds": 5.0}
    async with open_scene(database_url, tmp_path, static(), **settings) as scene:
        writer = await ask_and_read_nothing(scene, words=60_000)
        reservation = await scene.the_reservation()
        assert reservation["basis"] == "estimated"
        assert reservation["actual"]["output_tokens"] >= HELD["output_tokens"]
        writer.transport.abort()
