from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.proxy.http.world import World, open_world


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """Opened and closed by one task, as its task groups need."""
    opened: asyncio.Future[World] = asyncio.get_running_loop().create_future()
    done = asyncio.Event()

    async def hold() -> None:
        async with open_world(database_url, tmp_path) as world:
            opened.set_result(world)
            await done.wait()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(hold())
        yield await opened
        done.set()
