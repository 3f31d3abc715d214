"""A running dashboard."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.dashboard.operating import Operating, operating
from tests.dashboard.world import Dashboard, running
from tests.support.daemons import quotad


@pytest.fixture
async def dashboard(database_url: str) -> AsyncIterator[Dashboard]:
    """A dashboard whose quotad is away."""
    async with running(database_url, quotad_retry_seconds=0.3) as dashboard:
        yield dashboard


@pytest.fixture
async def scene(database_url: str) -> AsyncIterator[Operating]:
    """An operator before a dashboard and a quotad."""
    async with quotad(database_url) as daemon, operating(daemon, database_url) as scene:
        yield scene
