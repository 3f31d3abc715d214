"""The pool's windows as the `x-codex-*` headers that callers get, computed once for all who ask (C2)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from proxy.records.usage import AccountUsage, Credits, WindowUsage

Header = tuple[str, str]


class RateLimitHeadersCache:
    """What `compute` gave last, for as long as it is fresh. `clock` is monotonic, in seconds.

    It is fresh for `ttl_seconds`, the interval of the usage refresh, which also invalidates it when it is done (C3).
    However many wait for it, it is computed once.
    """

    def __init__(
        self, compute: Callable[[], Awaitable[tuple[Header, ...]]], clock: Callable[[], float], *, ttl_seconds: float
    ) -> None:
        self._compute = compute
        self._clock = clock
        self._ttl_seconds = ttl_seconds
        self._computing = asyncio.Lock()
        self._generation = 0
        self._headers: tuple[Header, ...] = ()
        self._fresh_until = float("-inf")

    async def get(self) -> tuple[Header, ...]:
        """The headers; waits only where they have to be computed."""
        if self._clock() < self._fresh_until:
            return self._headers
        async with self._computing:
            if self._clock() >= self._fresh_until:
                await self._recompute()
            return self._headers

    def invalidate(self) -> None:
        """Compute anew for the next who asks, also if a computation is under way."""
        self._generation += 1
        self._fresh_until = float("-inf")

    async def _recompute(self) -> None:
        generation = self._generation
        self._headers = await self._compute()
        if generation == self._generation:
            self._fresh_until = self._clock() + self._ttl_seconds


def pool_headers(usages: Iterable[AccountUsage], now: datetime) -> tuple[Header, ...]:
    """The headers for these accounts: means, first resets and sums over those that report; empty where none does."""
    known = tuple(usages)
    return (
        *_window_headers("primary", [usage.primary for usage in known if usage.primary is not None], now),
        *_window_headers("secondary", [usage.secondary for usage in known if usage.secondary is not None], now),
        *_credit_headers([usage.credits for usage in known if usage.credits is not None]),
    )


def _window_headers(name: str, windows: Sequence[WindowUsage], now: datetime) -> tuple[Header, ...]:
    """Used: the mean. Reset: the first that lies ahead. Length: the longest."""
    if not windows:
        return ()
    used = sum(window.used_percent_at(now) for window in windows) / len(windows)
    lengths = [window.window_minutes for window in windows if window.window_minutes is not None]
    resets = [window.reset_time for window in windows if window.reset_time is not None and window.reset_time > now]
    headers = [(f"x-codex-{name}-used-percent", str(round(used, 2)))]
    if lengths:
        headers.append((f"x-codex-{name}-window-minutes", str(max(lengths))))
    if resets:
        headers.append((f"x-codex-{name}-reset-at", str(int(min(resets).timestamp()))))
    return tuple(headers)


def _credit_headers(told: Sequence[Credits]) -> tuple[Header, ...]:
    """Has credits, and unlimited: any account. Balance: all of them together."""
    if not told:
        return ()
    balances = [credit.balance for credit in told if credit.balance is not None]
    headers = [
        ("x-codex-credits-has-credits", str(any(credit.has_credits for credit in told)).lower()),
        ("x-codex-credits-unlimited", str(any(credit.is_unlimited for credit in told)).lower()),
    ]
    if balances:
        headers.append(("x-codex-credits-balance", f"{sum(balances, Decimal(0)):.2f}"))
    return tuple(headers)
