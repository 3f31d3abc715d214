from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.proxy.requests.scene import Scene, held_open, oauth, open_scene, static


@pytest.fixture
async def scene(database_url: str, tmp_path: Path) -> AsyncIterator[Scene]:
    """One account with a static key."""
    async with held_open(open_scene(database_url, tmp_path, static(), drain_seconds=5.0)) as scene:
        yield scene


@pytest.fixture
async def two_accounts(database_url: str, tmp_path: Path) -> AsyncIterator[Scene]:
    async with held_open(open_scene(database_url, tmp_path, static("first"), static("second"))) as scene:
        yield scene


@pytest.fixture
async def oauth_account(database_url: str, tmp_path: Path) -> AsyncIterator[Scene]:
    """One account with an access token and a refresh token."""
    async with held_open(open_scene(database_url, tmp_path, oauth())) as scene:
        yield scene
