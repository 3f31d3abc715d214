"""What the OpenAPI documents say holds for whatever is sent."""

from __future__ import annotations

from pathlib import Path

from proxy.http.app import create_app
from tests.contract.fuzzing import fuzz
from tests.proxy.http.world import limit, open_world

EXAMPLES = 15


async def test_the_proxy_keeps_its_document_whatever_is_sent(database_url: str, tmp_path: Path) -> None:
    """No answer of its own is a failure, and every one has the shape that the document gives it."""
    async with open_world(database_url, tmp_path) as world:
        key = await world.create_key(limit("total_tokens", 10**12))
        document = create_app(world.worker.services).openapi()
        headers = {"authorization": f"Bearer {key.secret}"}
        done = await fuzz(document, world.url, tmp_path, headers, examples=EXAMPLES)
    assert done.returncode == 0, done.stdout
