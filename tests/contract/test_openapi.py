"""What the OpenAPI documents say holds for whatever is sent."""

from __future__ import annotations

from pathlib import Path

from dashboard.app import create_api
from proxy.http.app import create_app
from tests.contract.fuzzing import fuzz
from tests.dashboard.operating import operating
from tests.proxy.http.world import limit, open_world
from tests.support.daemons import quotad

EXAMPLES = 15
DASHBOARD_EXAMPLES = 2
"""It has five times as many operations."""


async def test_the_proxy_keeps_its_document_whatever_is_sent(database_url: str, tmp_path: Path) -> None:
    """No answer of its own is a failure, and every one has the shape that the document gives it."""
    async with open_world(database_url, tmp_path) as world:
        key = await world.create_key(limit("total_tokens", 10**12))
        document = create_app(world.worker.services).openapi()
        headers = {"authorization": f"Bearer {key.secret}"}
        done = await fuzz(document, world.url, tmp_path, headers, examples=EXAMPLES)
    assert done.returncode == 0, done.stdout


async def test_the_dashboard_keeps_its_document_whatever_is_sent(database_url: str, tmp_path: Path) -> None:
    """Streams that never end, and what would end the session, are left out."""
    async with quotad(database_url) as daemon, operating(daemon, database_url) as scene:
        cookies = "; ".join(f"{name}={value}" for name, value in scene.operator.cookies.items())
        headers = {"cookie": cookies, "X-CSRF-Token": scene.operator.headers["X-CSRF-Token"]}
        left_out = ("--exclude-path-regex", "^/api/(events|auth/)", "--mode", "positive")
        document, url = create_api().openapi(), scene.dashboard.url
        done = await fuzz(document, url, tmp_path, headers, *left_out, phases="fuzzing", examples=DASHBOARD_EXAMPLES)
    assert done.returncode == 0, done.stdout
