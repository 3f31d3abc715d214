"""A worker's accounts with all that keeps them current, opened together and closed in the opposite order."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from proxy.accounts.notes import NoteWriter
from proxy.accounts.pool import AccountPool, Memory
from proxy.accounts.pool_headers import Header, RateLimitHeadersCache, pool_headers
from proxy.accounts.refresh import Refresher
from proxy.accounts.standings import Standings
from proxy.accounts.stickiness import Stickiness
from proxy.accounts.usage_refresh import UsageRefresh
from proxy.accounts.usages import Usages
from proxy.config import ProxySettings
from proxy.following import Reaction, following
from proxy.operator_settings import SettingsCache, environment_defaults
from proxy.outgoing import Outgoing
from proxy.records.changes import Channel
from proxy.records.secrets import SecretBox
from servicekit.background import in_background


@dataclass(frozen=True, slots=True)
class Accounts:
    """The open parts."""

    pool: AccountPool
    headers: RateLimitHeadersCache
    usage_refresh: UsageRefresh
    operator_settings: SettingsCache

    async def pool_headers(self) -> tuple[Header, ...]:
        """What callers are told of the accounts' windows: nothing where the operator hides it."""
        return () if self.operator_settings.current.hide_pool_limits else await self.headers.get()


@asynccontextmanager
async def open_accounts(
    engine: AsyncEngine, settings: ProxySettings, secret_box: SecretBox, outgoing: Outgoing
) -> AsyncIterator[Accounts]:
    """Read accounts and settings, and follow their changes while the block runs; what was noted is written at its end.

    Raises `SecretKeyUnusable` and the database's errors.
    """
    operator_settings = SettingsCache(engine, environment_defaults(settings))
    await operator_settings.read()
    memory = _memory(settings)
    refresher = Refresher(engine, secret_box, outgoing)
    notes = NoteWriter(engine, memory.standings, memory.usages)
    pool = AccountPool(engine, secret_box, refresher, memory, notes, lambda: operator_settings.current)
    headers = _headers(settings, pool)

    usage_refresh = UsageRefresh(
        engine,
        pool,
        headers,
        outgoing,
        interval_seconds=settings.usage_refresh_seconds,
        history_days=settings.usage_history_days,
    )
    reactions = _reactions(pool, refresher, headers, operator_settings)
    await pool.start()
    try:
        async with notes, following(engine, reactions), in_background(usage_refresh.run(), "refresh usage"):
            yield Accounts(pool, headers, usage_refresh, operator_settings)
    finally:
        await refresher.stop()


def _reactions(
    pool: AccountPool, refresher: Refresher, headers: RateLimitHeadersCache, operator_settings: SettingsCache
) -> dict[Channel, Reaction]:
    """What is read again where another process, or this one, changed something."""

    async def on_accounts() -> None:
        await pool.read_accounts()
        await refresher.store_kept()
        headers.invalidate()

    async def on_usage() -> None:
        await pool.read_usage()
        headers.invalidate()

    return {
        Channel.SETTINGS: operator_settings.read,
        Channel.ACCOUNTS: on_accounts,
        Channel.STANDINGS: pool.read_standings,
        Channel.USAGE: on_usage,
    }


def _memory(settings: ProxySettings) -> Memory:
    return Memory(
        Standings(),
        Usages(time.monotonic, sample_seconds=settings.header_sample_seconds),
        Stickiness(time.monotonic, keys_max=settings.sticky_keys_max, seconds=settings.sticky_seconds),
    )


def _headers(settings: ProxySettings, pool: AccountPool) -> RateLimitHeadersCache:
    async def compute() -> tuple[Header, ...]:
        return pool_headers(pool.serving_usage, datetime.now(UTC))

    return RateLimitHeadersCache(compute, time.monotonic, ttl_seconds=settings.usage_refresh_seconds)
