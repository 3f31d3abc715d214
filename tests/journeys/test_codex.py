"""The real Codex CLI, streaming through a proxy with a key of its own.

What it does in the middle of a turn is tried against a proxy in the test's own loop, whose upstream is commanded.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.journeys.conftest import counters, create_key
from tests.proxy.requests.scene import Scene, oauth, open_scene
from tests.support.processes import REPOSITORY
from tests.support.stack import RunningStack

CODEX_SECONDS = 50.0
CONFIG = """
model = "gpt-5.1-codex"
model_provider = "local"
{settings}

[model_providers.local]
name = "{name}"
base_url = "{base_url}"
env_key = "LOCAL_KEY"
wire_api = "responses"
"""

RUNS_A_COMMAND = 'tool;name=exec_command;arguments={"cmd": "echo it-was-run"}'


def codex_exec(
    directory: Path, base_url: str, secret: str, text: str, *, name: str = "local", settings: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run one turn with a home of its own; `make test` has installed the CLI. `name` is the provider's."""
    (binary,) = (REPOSITORY / "tests/clients/node_modules/@openai").glob("codex-*/vendor/*/bin/codex")
    (directory / "config.toml").write_text(CONFIG.format(base_url=base_url, name=name, settings=settings))
    return subprocess.run(
        [binary, "exec", "--skip-git-repo-check", text],
        env={"PATH": os.defpath, "HOME": str(directory), "CODEX_HOME": str(directory), "LOCAL_KEY": secret},
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=CODEX_SECONDS,
    )


async def test_a_turn_of_codex_streams_through_and_is_charged_once(stack: RunningStack, tmp_path: Path) -> None:
    """U4, S2: with a key from `quotad keys create`."""
    key = create_key(stack, "codex", "total_tokens:day:1000000", "requests:day:100")
    done = codex_exec(tmp_path, f"{stack.ready['proxies'][0]}/v1", key.secret, "Say hello")
    assert done.returncode == 0, done.stdout
    assert await counters(stack, key, "requests") == (1, 0)
    used, held = await counters(stack, key, "total_tokens")
    assert used > 0
    assert held == 0


@pytest.mark.parametrize("path", ["/v1", "/backend-api/codex"])
async def test_an_exhausted_key_shows_a_readable_limit_with_its_reset(
    stack: RunningStack, tmp_path: Path, path: str
) -> None:
    """B7: the CLI says that the limit is hit and when to come back, and sends nothing more."""
    key = create_key(stack, f"codex-exhausted{path}", "requests:day:1")
    base_url = stack.ready["proxies"][1] + path
    assert codex_exec(tmp_path, base_url, key.secret, "Say hello").returncode == 0
    refused = codex_exec(tmp_path, base_url, key.secret, "Say more")
    assert refused.returncode != 0
    assert re.search(r"hit your usage limit\. Try again at \w+", refused.stdout), refused.stdout
    assert await counters(stack, key, "requests") == (1, 0)


async def a_turn(scene: Scene, directory: Path, *behaviours: str, name: str = "local", settings: str = "") -> str:
    """What Codex prints of one turn, whose requests meet these behaviours."""
    scene.misbehave(*behaviours)
    url, secret = f"{scene.url}/v1", scene.key.secret
    done = await asyncio.to_thread(codex_exec, directory, url, secret, "Say hello", name=name, settings=settings)
    assert done.returncode == 0, done.stdout
    assert "Hello from the demo upstream!" in done.stdout
    return done.stdout


async def charged_as_reported(scene: Scene, requests: int) -> None:
    """Each request of the turn has a reservation of its own, charged with what was reported for it."""
    usages = [entry.usage for entry in scene.entries if entry.usage]
    reservations = await scene.reservations()
    assert {found["state"] for found in reservations} == {"finalized"}
    charged = sorted(found["actual"]["total_tokens"] for found in reservations)
    assert charged == sorted(usage.input_tokens + usage.output_tokens for usage in usages)
    assert len(charged) == requests
    assert await scene.counters() == (0, sum(charged))


async def test_a_turn_with_a_tool_call_is_two_requests_each_charged_once(database_url: str, tmp_path: Path) -> None:
    """S2"""
    async with open_scene(database_url, tmp_path, oauth()) as scene:
        said = await a_turn(scene, tmp_path, RUNS_A_COMMAND)
        assert "it-was-run" in said
        await charged_as_reported(scene, 2)


async def test_a_401_in_the_middle_of_a_turn_is_refreshed_under_the_same_reservation(
    database_url: str, tmp_path: Path
) -> None:
    """U2, S3: Codex sees nothing of it."""
    async with open_scene(database_url, tmp_path, oauth()) as scene:
        said = await a_turn(scene, tmp_path, RUNS_A_COMMAND, "expired_token")
        assert "it-was-run" in said
        assert scene.demo.upstream.credentials.refreshes == 1
        await charged_as_reported(scene, 2)
        rows = await scene.rows(2)
        assert [[attempt["outcome"] for attempt in row["attempts"]] for row in rows] == [
            ["done"],
            ["refreshed", "done"],
        ]


async def test_a_compaction_in_the_middle_of_a_turn_is_charged_like_any_request(
    database_url: str, tmp_path: Path
) -> None:
    """S9: a provider of the name OpenAI compacts, here by an item in an ordinary request."""
    async with open_scene(database_url, tmp_path, oauth()) as scene:
        limit = "model_auto_compact_token_limit = 1000"
        said = await a_turn(scene, tmp_path, RUNS_A_COMMAND, name="OpenAI", settings=limit)
        assert "context compacted" in said
        await charged_as_reported(scene, 3)
