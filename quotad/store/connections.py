"""Connections of their own for the ledger, and a bounded queue in front of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from quotad.errors import Overloaded
from quotad.store.cache import CacheBounds
from quotad.store.failures import ConnectionLost, translated

Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"

JSONB_VERSION = b"\x01"
"""First byte of jsonb's binary form."""
CONNECT_SECONDS_MAX = 5.0

PLANNER_SETTINGS = {
    # The functions look rows up by key in batches; on a young table the planner would rather scan it, and a batch then
    # costs rows x batch. Pinning index access is the largest single gain that was measured.
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
}


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """How the ledger uses its database."""

    database_url: str
    connections: int = 8
    """Beside those that the workers keep."""
    queue_max: int = 10_000
    """Operations that may wait for the database before further ones are refused as `OVERLOADED`."""
    statement_timeout_seconds: float = 5.0
    lock_timeout_seconds: float = 3.0
    """For an operation that has failed in company; a batch gives up after `batch_lock_timeout_seconds`."""
    batch_lock_timeout_seconds: float = 0.5
    batch_max: int = 512
    """Operations in one transaction: enough to share its cost, few enough that nobody waits long for it."""
    workers: int = 4
    """Batches of different tenants at the same time, each on a connection of its own."""
    default_lease_seconds: float = 120.0
    cache: CacheBounds = field(default_factory=CacheBounds)
    horizon_seconds: float = 7 * 86400.0
    """How long a reservation that is no longer open is kept, so that a repeat is recognised."""
    usage_retention_seconds: float = 400 * 86400.0
    refusal_retention_seconds: float = 30 * 86400.0
    purge_batch_rows: int = 500
    """Few enough that nobody waits long for the windows that a batch touches."""
    purge_pause_seconds: float = 1.0
    refusal_entries_max: int = 100_000
    """Counts of refusals, by key, limit and minute, that may wait to be written; 40 MB with all their samples."""
    audit_seconds_max: float = 60.0
    """Longest check of one tenant's conservation."""


class Connections:
    """A pool of ledger connections with a bounded number of waiters."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], queue_max: int, wait_seconds: float) -> None:
        self._pool = pool
        self._queue_max = queue_max
        self._wait_seconds = wait_seconds
        self._waiting = 0

    @classmethod
    async def open(cls, settings: StoreSettings) -> Connections:
        """Connect; raises `StoreUnavailable`."""
        milliseconds = {
            "statement_timeout": str(round(settings.statement_timeout_seconds * 1000)),
            "lock_timeout": str(round(settings.batch_lock_timeout_seconds * 1000)),
            # A daemon that stands still between two statements would hold its rows for as long as it does.
            "idle_in_transaction_session_timeout": str(round(settings.lock_timeout_seconds * 1000)),
        }
        with translated():
            pool = await asyncpg.create_pool(
                settings.database_url,
                min_size=1,
                max_size=settings.connections + settings.workers,
                init=_prepare,
                reset=_keep,
                timeout=CONNECT_SECONDS_MAX,
                command_timeout=settings.statement_timeout_seconds + 1,
                server_settings={"application_name": "quotad", **PLANNER_SETTINGS, **milliseconds},
            )
        return cls(pool, settings.queue_max, settings.statement_timeout_seconds)

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Connection]:
        """One connection for one operation; `Overloaded` where too many wait, `StoreUnavailable` after too long."""
        if self._waiting >= self._queue_max:
            raise Overloaded("too many operations are waiting for the database")
        self._waiting += 1
        try:
            with translated():
                connection = await self._pool.acquire(timeout=self._wait_seconds)
        finally:
            self._waiting -= 1
        try:
            with translated():
                yield connection
        except ConnectionLost:
            # The pool cannot always tell, and would hand it out again; where it can, it has taken it back already.
            with suppress(asyncpg.InterfaceError):
                connection.terminate()
            raise
        finally:
            await asyncio.shield(self._give_back(connection))

    async def _give_back(self, connection: Connection) -> None:
        # A connection that broke is taken back by the pool itself, which then complains about the second time.
        with suppress(asyncpg.InterfaceError, asyncpg.InternalClientError):
            await self._pool.release(connection)

    async def close(self) -> None:
        """Close all connections, waiting for running operations for a bounded time."""
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()


async def _prepare(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Read and write jsonb as Python values, in the binary form that rows inside arrays need."""
    await connection.set_type_codec("jsonb", encoder=_jsonb, decoder=_from_jsonb, schema="pg_catalog", format="binary")


def _jsonb(value: object) -> bytes:
    return JSONB_VERSION + json.dumps(value).encode()


def _from_jsonb(data: bytes) -> object:
    return json.loads(data[len(JSONB_VERSION) :])


async def _keep(_connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Keep the session as it is between operations: nothing here changes its state."""
