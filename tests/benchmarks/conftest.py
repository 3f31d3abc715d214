"""The baseline of the benchmark on a database of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from benchmarks.ledger.baseline.store import BaselineStore
from benchmarks.ledger.cluster import BASELINE_SCHEMA
from tests.benchmarks.world import Baseline

CONNECTIONS = 8


@pytest.fixture
async def baseline(database_url: str) -> AsyncIterator[Baseline]:
    connection = await asyncpg.connect(database_url)
    await connection.execute(BASELINE_SCHEMA.read_text("utf-8"))
    store = await BaselineStore.open(database_url, CONNECTIONS)
    baseline = Baseline(store, connection)
    await baseline.key("demo", 1_000)
    try:
        yield baseline
    finally:
        await store.close()
        await connection.close()
