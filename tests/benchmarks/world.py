"""The baseline of the benchmark, and short forms of what tests ask of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import asyncpg

from benchmarks.ledger.baseline.store import BaselineStore

LEASE = timedelta(seconds=60)


@dataclass(slots=True)
class Baseline:
    """The baseline on a database of the test's own."""

    store: BaselineStore
    connection: asyncpg.Connection[asyncpg.Record]

    async def key(self, api_key_id: str, max_value: int) -> None:
        """A key with one limit on requests, without end, and one on tokens per day."""
        await self.connection.execute(
            "INSERT INTO baseline.api_keys SELECT $1, 'default', false, ARRAY[n, n + 1], "
            "ARRAY['requests', 'total_tokens'], ARRAY['lifetime', 'day'], ARRAY[1000000, $2] "
            "FROM (SELECT 2 * count(*) FROM baseline.api_keys) AS keys (n)",
            api_key_id,
            max_value,
        )

    async def reserve(self, reservation_id: str, tokens: int, lease: timedelta = LEASE) -> str | None:
        """The outcome; None where it does not fit."""
        amounts = {"requests": 1, "total_tokens": tokens}
        row = await self.store.reserve("demo", reservation_id, "model-1", amounts, lease)
        return None if row is None else row["outcome"]

    async def finalize(self, reservation_id: str, tokens: int) -> str:
        row = await self.store.finalize("default", reservation_id, {"total_tokens": tokens})
        assert row is not None
        return str(row["outcome"])

    async def tokens(self) -> tuple[int, int]:
        """What the window on tokens holds: held and used."""
        row = await self.connection.fetchrow("SELECT held, used FROM baseline.windows WHERE limit_id = 1")
        assert row is not None
        return row["held"], row["used"]
