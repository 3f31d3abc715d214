"""The real Codex CLI, streaming through a proxy with a key of its own."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.journeys.conftest import MadeKey, counters, create_key
from tests.support.processes import REPOSITORY
from tests.support.stack import RunningStack

CODEX_SECONDS = 50.0
CONFIG = """
model = "gpt-5.1-codex"
model_provider = "local"

[model_providers.local]
name = "local"
base_url = "{base_url}"
env_key = "LOCAL_KEY"
wire_api = "responses"
"""


def codex_exec(directory: Path, base_url: str, key: MadeKey, text: str) -> subprocess.CompletedProcess[str]:
    """Run one turn with a home of its own; `make test` has installed the CLI."""
    (binary,) = (REPOSITORY / "tests/clients/node_modules/@openai").glob("codex-*/vendor/*/bin/codex")
    (directory / "config.toml").write_text(CONFIG.format(base_url=base_url))
    return subprocess.run(
        [binary, "exec", "--skip-git-repo-check", text],
        env={"PATH": os.defpath, "HOME": str(directory), "CODEX_HOME": str(directory), "LOCAL_KEY": key.secret},
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
    done = codex_exec(tmp_path, f"{stack.ready['proxies'][0]}/v1", key, "Say hello")
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
    assert codex_exec(tmp_path, base_url, key, "Say hello").returncode == 0
    refused = codex_exec(tmp_path, base_url, key, "Say more")
    assert refused.returncode != 0
    assert re.search(r"hit your usage limit\. Try again at \w+", refused.stdout), refused.stdout
    assert await counters(stack, key, "requests") == (1, 0)
