"""The upstream's list of models, kept briefly, and what of it a key may use."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from proxy.accounts.pool import AccountPool
from proxy.errors import NoAccounts, UpstreamFailed
from proxy.outgoing import Outgoing, OutgoingFailed
from proxy.patterns import is_allowed
from proxy.records.accounts import Account

Model = Mapping[str, Any]


class ModelList:
    """One list for the worker, from whichever account answers. `clock` is monotonic, in seconds."""

    def __init__(
        self,
        pool: AccountPool,
        outgoing: Outgoing,
        clock: Callable[[], float],
        *,
        cache_seconds: float,
        attempts_max: int,
    ) -> None:
        self._pool = pool
        self._outgoing = outgoing
        self._clock = clock
        self._cache_seconds = cache_seconds
        self._attempts_max = attempts_max
        self._models: tuple[Model, ...] = ()
        self._stale_at = clock()
        self._reading = asyncio.Lock()

    async def allowed(self, patterns: Sequence[str]) -> list[Model]:
        """What a key with these allowed models may use; raises `NoAccounts` or `UpstreamFailed`."""
        models = await self._current()
        return [model for model in models if is_allowed(str(model.get("id", "")), patterns)]

    async def _current(self) -> tuple[Model, ...]:
        async with self._reading:
            if self._clock() >= self._stale_at:
                self._models = await self._read()
                self._stale_at = self._clock() + self._cache_seconds
            return self._models

    async def _read(self) -> tuple[Model, ...]:
        tried: frozenset[str] = frozenset()
        failure: OutgoingFailed | None = None
        for _ in range(self._attempts_max):
            try:
                account = self._pool.select("", tried)
            except NoAccounts:
                break
            try:
                return await self._ask(account)
            except OutgoingFailed as exc:
                failure = exc
                tried |= {account.account_id}
        if failure is None:
            raise NoAccounts
        raise UpstreamFailed("The upstream did not list its models.") from failure

    async def _ask(self, account: Account) -> tuple[Model, ...]:
        """One account's list; where its token has expired, once more with a new one."""
        authorization = self._pool.authorization(account)
        try:
            return await self._outgoing.models(account.base_url, authorization.headers)
        except OutgoingFailed as exc:
            if exc.status != 401 or not await self._pool.refresh(account, authorization.token_version):
                raise
        return await self._outgoing.models(account.base_url, self._pool.authorization(account).headers)
