"""Refreshing an account's tokens: once over all replicas, stored before use (B6).

A refresh token works once. So a replica asks for a new pair only while it holds the account's lock, and only if the
stored pair is still the one that was refused; who waited for the lock finds the newer pair. A pair that was granted
but not stored is the account's only one: it is kept and stored by the next refresh, never fetched again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from enum import StrEnum

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from proxy.following import DATABASE_ERRORS
from proxy.outgoing import GrantRefused, Outgoing, OutgoingFailed, TokenGrant
from proxy.records import read, write
from proxy.records.accounts import Account, AccountState, OAuthCredentials
from proxy.records.locks import lock
from proxy.records.secrets import SecretBox

STORE_SECONDS_MAX = 5.0
"""One try to write to the accounts table."""
REFRESHES_MAX = 8
"""At a time in one worker: each holds a database connection beside the pool's."""

log = structlog.get_logger(__name__)


class Refreshed(StrEnum):
    """How a refresh ended."""

    STORED = "stored"
    SUPERSEDED = "superseded"
    """Another process stored a newer pair, or the account is gone."""
    REFUSED = "refused"
    """The token endpoint's definite no."""
    FAILED = "failed"
    """Undecided; the next 401 tries again."""


@dataclass(frozen=True, slots=True)
class TokenOwner:
    """An account and a token pair of it."""

    account: Account
    credentials: OAuthCredentials


class Refresher:
    """Runs at most one refresh per account at a time over all replicas; concurrent callers share its outcome."""

    def __init__(self, engine: AsyncEngine, secret_box: SecretBox, outgoing: Outgoing) -> None:
        self._engine = engine
        self._secret_box = secret_box
        self._outgoing = outgoing
        self._places = asyncio.Semaphore(REFRESHES_MAX)
        self._running: dict[str, asyncio.Task[Refreshed]] = {}
        self._unstored: dict[str, TokenOwner] = {}
        """Granted pairs, each with the account as it was before."""

    async def refresh(self, owner: TokenOwner) -> Refreshed:
        """Replace the pair; a caller that is cancelled leaves the refresh running for the others."""
        account_id = owner.account.account_id
        task = self._running.get(account_id)
        if task is None:
            task = asyncio.create_task(self._run(owner))
            self._running[account_id] = task
        return await asyncio.shield(task)

    async def store_kept(self) -> None:
        """Store what was granted while the database was away, unless a running refresh does it."""
        for account_id, granted in list(self._unstored.items()):
            if account_id not in self._running:
                await self._store_kept(granted)

    async def stop(self) -> None:
        """Wait for running refreshes, whose tokens would be lost; each of their steps is bounded."""
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        await self.store_kept()

    async def _run(self, owner: TokenOwner) -> Refreshed:
        account = owner.account
        try:
            async with self._places:
                outcome = await self._locked(owner)
        except OutgoingFailed as exc:
            log.warning("token refresh failed", account=account.name, error=str(exc))
            return Refreshed.FAILED
        except DATABASE_ERRORS as exc:
            log.warning("account not written", account=account.name, error=type(exc).__name__)
            return Refreshed.FAILED
        finally:
            del self._running[account.account_id]
        # Only what the commit above has stored may be forgotten.
        self._unstored.pop(account.account_id, None)
        return outcome

    async def _locked(self, owner: TokenOwner) -> Refreshed:
        """Under the account's lock: whoever had it before is done, and has stored what it got."""
        seconds_max = self._outgoing.timeout_seconds + STORE_SECONDS_MAX
        name = f"proxy refresh {owner.account.account_id}"
        async with lock(self._engine, name, wait_seconds=seconds_max, hold_seconds_max=seconds_max) as connection:
            stored = await read.find_sealed_account(connection, owner.account.account_id)
            if stored is None or stored.account.token_version > owner.account.token_version:
                return Refreshed.SUPERSEDED
            if stored.account.state is AccountState.REAUTH_REQUIRED:
                return Refreshed.REFUSED
            return await self._replace(connection, owner)

    async def _replace(self, connection: AsyncConnection, owner: TokenOwner) -> Refreshed:
        try:
            granted = await self._granted(owner)
        except GrantRefused as exc:
            return await self._refused(connection, owner.account, exc)
        return Refreshed.STORED if await self._store(connection, granted) else Refreshed.SUPERSEDED

    async def _granted(self, owner: TokenOwner) -> TokenOwner:
        """The pair that was granted and not stored yet, else a new one."""
        account, old = owner.account, owner.credentials
        unstored = self._unstored.get(account.account_id)
        if unstored is not None and unstored.account.token_version == account.token_version:
            return unstored
        grant = await self._outgoing.refresh_tokens(account.token_url, account.client_id, old.refresh_token)
        granted = TokenOwner(account, _replaced(old, grant))
        self._unstored[account.account_id] = granted
        return granted

    async def _refused(self, connection: AsyncConnection, account: Account, refusal: GrantRefused) -> Refreshed:
        """Ask for a new sign-in, unless the refused pair is not the stored one any more."""
        is_moved = await write.move_account(
            connection,
            account.account_id,
            AccountState.REAUTH_REQUIRED,
            reason=str(refusal),
            token_version=account.token_version,
        )
        log.warning("token refresh refused", account=account.name, code=refusal.code, is_moved=is_moved)
        return Refreshed.REFUSED if is_moved else Refreshed.SUPERSEDED

    async def _store(self, connection: AsyncConnection, granted: TokenOwner) -> bool:
        """False where another pair is stored by now, or the account is gone."""
        return await write.store_tokens(
            connection,
            granted.account.account_id,
            granted.credentials,
            self._secret_box,
            expected_version=granted.account.token_version,
        )

    async def _store_kept(self, granted: TokenOwner) -> None:
        try:
            async with asyncio.timeout(STORE_SECONDS_MAX), self._engine.begin() as connection:
                await self._store(connection, granted)
        except DATABASE_ERRORS as exc:
            log.warning("account not written", account=granted.account.name, error=type(exc).__name__)
            return
        self._unstored.pop(granted.account.account_id, None)


def _replaced(old: OAuthCredentials, grant: TokenGrant) -> OAuthCredentials:
    return replace(
        old,
        access_token=grant.access_token,
        refresh_token=grant.refresh_token or old.refresh_token,
        id_token=grant.id_token or old.id_token,
    )
