"""A running daemon."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.daemons import Daemon, quotad


@pytest.fixture
async def daemon(database_url: str) -> AsyncIterator[Daemon]:
    """quotad on a database of the test's own; the ledger is audited when the test ends."""
    async with quotad(database_url) as daemon:
        yield daemon
