"""Asking the accounts how much of them is used: each once in an interval, by one replica at a time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from proxy.accounts.pool import AccountPool
from proxy.accounts.pool_headers import RateLimitHeadersCache
from proxy.accounts.usage import read_payload
from proxy.accounts.usages import store_usage
from proxy.errors import NoAccounts
from proxy.following import DATABASE_ERRORS
from proxy.outgoing import Json, Outgoing, OutgoingFailed
from proxy.records.accounts import Account
from proxy.records.locks import LockBusy, lock
from proxy.records.usage import AccountUsage
from proxy.records.usage_samples import due_accounts, note_fetch, purge_samples

LOCK = "proxy usage refresh"
LOOK_SECONDS_MAX = 5.0
"""Between two looks at what is due: a new account is asked soon, and a dead replica's turn is taken over."""
WRITE_SECONDS_MAX = 5.0
FETCHES_MAX = 8
"""At a time."""
REFRESH_SECONDS_MAX = 300.0
"""One replica's turn; accounts that are not reached are due in the next one."""
EMPTY = "the answer names neither windows nor credits"

log = structlog.get_logger(__name__)


class UsageRefresh:
    """Fetches and stores; afterwards the pool reads what was stored, and the pool's headers are computed anew."""

    def __init__(
        self,
        engine: AsyncEngine,
        pool: AccountPool,
        headers: RateLimitHeadersCache,
        outgoing: Outgoing,
        *,
        interval_seconds: float,
        history_days: int,
    ) -> None:
        self._engine = engine
        self._pool = pool
        self._headers = headers
        self._outgoing = outgoing
        self._interval = timedelta(seconds=interval_seconds)
        self._history = timedelta(days=history_days)
        self._places = asyncio.Semaphore(FETCHES_MAX)
        self._is_failing = False

    async def refresh(self) -> bool:
        """One turn; `refreshed`: True only if a row was written (C5). False also where another replica is at it."""
        if not await self._due():
            return False
        try:
            async with lock(self._engine, LOCK, wait_seconds=0, hold_seconds_max=REFRESH_SECONDS_MAX):
                refreshed = await self._refresh_due()
        except LockBusy:
            return False
        if refreshed:
            await self._pool.read_usage()
        self._headers.invalidate()
        return refreshed

    async def run(self) -> None:
        """Refresh what is due, for ever."""
        while True:
            try:
                await self.refresh()
                self._is_failing = False
            except DATABASE_ERRORS as exc:
                self._note_failing(exc)
            except Exception:
                # Without this loop no window would ever be read again.
                log.exception("usage of accounts not refreshed, trying again")
            await asyncio.sleep(min(LOOK_SECONDS_MAX, self._interval.total_seconds()))

    def _note_failing(self, exc: BaseException) -> None:
        if not self._is_failing:
            log.warning("usage of accounts cannot be refreshed, trying again", error=type(exc).__name__)
        self._is_failing = True

    async def _due(self) -> list[Account]:
        async with asyncio.timeout(WRITE_SECONDS_MAX), self._engine.connect() as connection:
            account_ids = await due_accounts(connection, self._interval)
        return [account for account in self._pool.accounts if account.account_id in account_ids]

    async def _refresh_due(self) -> bool:
        # Another replica may have done it between the look and the lock.
        due = await self._due()
        written = await asyncio.gather(*(self._refresh_one(account) for account in due))
        if any(written):
            await self._purge()
        return any(written)

    async def _refresh_one(self, account: Account) -> bool:
        """False after an error, a refused token, or an answer that says nothing."""
        async with self._places:
            now = datetime.now(UTC)
            try:
                usage, error = read_payload(await self._fetch(account), now), ""
            except (OutgoingFailed, NoAccounts) as exc:
                usage, error = read_payload(None, now), str(exc)
                log.warning("usage of an account not fetched", account=account.name, error=error)
            return await self._store(account, usage, error, now)

    async def _store(self, account: Account, usage: AccountUsage, error: str, now: datetime) -> bool:
        try:
            async with asyncio.timeout(WRITE_SECONDS_MAX), self._engine.begin() as connection:
                is_written = await store_usage(connection, account.account_id, usage, now)
                await note_fetch(connection, account.account_id, error or ("" if is_written else EMPTY))
        except DATABASE_ERRORS as exc:
            log.warning("usage of an account not stored", account=account.name, error=type(exc).__name__)
            return False
        return is_written

    async def _fetch(self, account: Account) -> Json:
        """The account's answer; where its token has expired, once more with a new one."""
        authorization = self._pool.authorization(account)
        try:
            return await self._outgoing.usage(account.usage_url, authorization.headers)
        except OutgoingFailed as exc:
            if exc.status != 401 or not await self._pool.refresh(account, authorization.token_version):
                raise
        return await self._outgoing.usage(account.usage_url, self._pool.authorization(account).headers)

    async def _purge(self) -> None:
        async with asyncio.timeout(WRITE_SECONDS_MAX), self._engine.begin() as connection:
            await purge_samples(connection, self._history)
