"""The pool's windows as headers, and the cache that computes them once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from proxy.accounts.pool_headers import Header, RateLimitHeadersCache, pool_headers
from proxy.records.usage import AccountUsage, Credits, SampleSource, WindowUsage

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
TTL_SECONDS = 60.0


def window(used_percent: float, minutes: int | None = 300, resets_in: float = 3600) -> WindowUsage:
    return WindowUsage(used_percent, minutes, NOW + timedelta(seconds=resets_in), NOW, SampleSource.FETCH)


def credit(balance: str | None, *, has_credits: bool = True, is_unlimited: bool = False) -> Credits:
    amount = None if balance is None else Decimal(balance)
    return Credits(has_credits, is_unlimited, amount, NOW, SampleSource.FETCH)


def headers(*usages: AccountUsage) -> dict[str, str]:
    return dict(pool_headers(usages, NOW))


def test_used_is_a_mean_the_reset_the_first_and_the_length_the_longest() -> None:
    found = headers(
        AccountUsage(window(10, 300, 900), window(50, 10_080)),
        AccountUsage(window(35.5, 400, 600)),
        AccountUsage(),
    )
    assert found == {
        "x-codex-primary-used-percent": "22.75",
        "x-codex-primary-window-minutes": "400",
        "x-codex-primary-reset-at": str(int(NOW.timestamp()) + 600),
        "x-codex-secondary-used-percent": "50.0",
        "x-codex-secondary-window-minutes": "10080",
        "x-codex-secondary-reset-at": str(int(NOW.timestamp()) + 3600),
    }


def test_a_window_that_is_over_counts_as_unused() -> None:
    found = headers(AccountUsage(window(100, resets_in=-1)), AccountUsage(window(50)))
    assert found["x-codex-primary-used-percent"] == "25.0"
    assert found["x-codex-primary-reset-at"] == str(int(NOW.timestamp()) + 3600)


def test_credits_are_any_accounts_and_their_balance_is_the_sum() -> None:
    found = headers(AccountUsage(credits=credit("1.5")), AccountUsage(credits=credit("2", has_credits=False)))
    assert found == {
        "x-codex-credits-has-credits": "true",
        "x-codex-credits-unlimited": "false",
        "x-codex-credits-balance": "3.50",
    }
    assert "x-codex-credits-balance" not in headers(AccountUsage(credits=credit(None, is_unlimited=True)))


def test_without_a_report_there_is_no_header() -> None:
    assert headers() == headers(AccountUsage()) == {}


@dataclass(slots=True)
class Computing:
    """Counts its computations, each of which waits until it may end."""

    may_end: asyncio.Event = field(default_factory=asyncio.Event)
    times: int = 0
    now: float = 0.0

    def cache(self) -> RateLimitHeadersCache:
        return RateLimitHeadersCache(self.compute, lambda: self.now, ttl_seconds=TTL_SECONDS)

    async def compute(self) -> tuple[Header, ...]:
        self.times += 1
        times = self.times
        await self.may_end.wait()
        return (("x-codex-primary-used-percent", str(times)),)


async def test_a_hit_is_not_computed_again() -> None:
    """C2."""
    computing = Computing()
    computing.may_end.set()
    cache = computing.cache()
    first = await cache.get()
    computing.now = TTL_SECONDS - 0.1
    assert await cache.get() is first
    assert computing.times == 1


async def test_after_its_time_it_is_computed_again() -> None:
    """C2."""
    computing = Computing()
    computing.may_end.set()
    cache = computing.cache()
    await cache.get()
    computing.now = TTL_SECONDS
    assert await cache.get() == (("x-codex-primary-used-percent", "2"),)


async def test_it_is_computed_once_for_all_who_wait() -> None:
    """C2."""
    computing = Computing()
    cache = computing.cache()
    waiting = [asyncio.create_task(cache.get()) for _ in range(20)]
    await asyncio.sleep(0)
    computing.may_end.set()
    assert set(await asyncio.gather(*waiting)) == {(("x-codex-primary-used-percent", "1"),)}
    assert computing.times == 1


async def test_invalidated_it_is_computed_for_the_next_who_asks() -> None:
    """C3."""
    computing = Computing()
    computing.may_end.set()
    cache = computing.cache()
    await cache.get()
    cache.invalidate()
    assert await cache.get() == (("x-codex-primary-used-percent", "2"),)


async def test_what_was_invalidated_while_it_was_computed_is_not_kept() -> None:
    """C3."""
    computing = Computing()
    cache = computing.cache()
    early = asyncio.create_task(cache.get())
    await asyncio.sleep(0)
    cache.invalidate()
    computing.may_end.set()
    await early
    await cache.get()
    assert computing.times == 2
