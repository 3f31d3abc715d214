"""A running dashboard."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.dashboard.world import Dashboard, running


@pytest.fixture
async def dashboard(database_url: str) -> AsyncIterator[Dashboard]:
    """A dashboard whose quotad is away."""
    async with running(database_url, quotad_retry_seconds=0.3) as dashboard:
        yield dashboard
