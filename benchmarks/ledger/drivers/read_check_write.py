"""A plain limiter on Postgres: read the counters, check in the program, write. Nothing holds them in between."""

from __future__ import annotations

import asyncpg

from benchmarks.ledger.method import AMPLE
from benchmarks.ledger.spec import LoadSpec

CONNECTIONS_MAX = 16
CALL_SECONDS_MAX = 30.0

SCHEMA = """
CREATE SCHEMA IF NOT EXISTS read_check_write;
CREATE TABLE IF NOT EXISTS read_check_write.counters (
    api_key_id text, metric text, used bigint NOT NULL DEFAULT 0, PRIMARY KEY (api_key_id, metric)
) WITH (fillfactor = 50);
TRUNCATE read_check_write.counters
"""
MAKE = """
INSERT INTO read_check_write.counters (api_key_id, metric)
SELECT k, m FROM unnest($1::text[]) AS k CROSS JOIN unnest($2::text[]) AS m
"""
READ = "SELECT metric, used FROM read_check_write.counters WHERE api_key_id = $1"
WRITE = "UPDATE read_check_write.counters SET used = used + $3 WHERE api_key_id = $1 AND metric = $2"


class ReadCheckWriteCalls:
    """Its counters are made when it is opened: the load that opens it is alone with them."""

    def __init__(self, spec: LoadSpec, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._spec = spec
        self._pool = pool
        self._metrics = list(spec.amounts)
        self._held = list(spec.amounts.values())
        self._given_back = [spec.actual[metric] - amount for metric, amount in spec.amounts.items()]

    @classmethod
    async def open(cls, spec: LoadSpec) -> ReadCheckWriteCalls:
        pool = await asyncpg.create_pool(spec.target, min_size=CONNECTIONS_MAX, max_size=CONNECTIONS_MAX)
        await pool.execute(SCHEMA)
        ids = [spec.keys.api_key_id(number) for number in range(spec.keys.count)]
        await pool.execute(MAKE, ids, list(spec.amounts))
        return cls(spec, pool)

    async def reserve(self, reservation_id: str, key: int, lease_seconds: float) -> bool:  # noqa: ARG002
        api_key_id = self._spec.keys.api_key_id(key)
        used = {
            row["metric"]: row["used"] for row in await self._pool.fetch(READ, api_key_id, timeout=CALL_SECONDS_MAX)
        }
        room = self._spec.room or AMPLE
        if any(used[metric] + amount > amount * room for metric, amount in self._spec.amounts.items()):
            return False
        await self._write(api_key_id, self._held)
        return True

    async def renew(self, reservation_id: str, key: int) -> None:
        """It has no leases."""

    async def finalize(self, reservation_id: str, key: int) -> None:  # noqa: ARG002
        await self._write(self._spec.keys.api_key_id(key), self._given_back)

    async def close(self) -> None:
        await self._pool.close()

    async def _write(self, api_key_id: str, amounts: list[int]) -> None:
        for metric, amount in zip(self._metrics, amounts, strict=True):
            await self._pool.execute(WRITE, api_key_id, metric, amount, timeout=CALL_SECONDS_MAX)
