"""Refreshing an account's tokens: one at a time per account, stored before use.

A refresh token works once, so a pair that was granted but not stored is the account's only one: it is kept and
stored by the next refresh, never fetched again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from enum import StrEnum

import asyncpg
import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from proxy.outgoing import GrantRefused, Outgoing, OutgoingFailed, TokenGrant
from proxy.records import write
from proxy.records.accounts import Account, AccountState, OAuthCredentials
from proxy.records.secrets import SecretBox

STORE_SECONDS_MAX = 5.0
"""One try to write to the accounts table."""
DATABASE_ERRORS = (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)
"""How a database that is away or refuses shows itself; a failed connect comes from the driver as it is."""

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
    """Runs at most one refresh per account in this process; concurrent callers share its outcome."""

    def __init__(self, engine: AsyncEngine, secret_box: SecretBox, outgoing: Outgoing) -> None:
        self._engine = engine
        self._secret_box = secret_box
        self._outgoing = outgoing
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
        for account_id, owner in list(self._unstored.items()):
            if account_id not in self._running:
                await self._store(owner.account, owner.credentials)

    async def stop(self) -> None:
        """Wait for running refreshes, whose tokens would be lost; each of their steps is bounded."""
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        await self.store_kept()

    async def _run(self, owner: TokenOwner) -> Refreshed:
        try:
            return await self._replace(owner)
        finally:
            del self._running[owner.account.account_id]

    async def _replace(self, owner: TokenOwner) -> Refreshed:
        account = owner.account
        try:
            credentials = await self._granted(owner)
        except OutgoingFailed as exc:
            log.warning("token refresh failed", account=account.name, error=str(exc))
            return Refreshed.FAILED
        except GrantRefused as exc:
            return await self._refused(account, exc)
        return await self._store(account, credentials)

    async def _granted(self, owner: TokenOwner) -> OAuthCredentials:
        """The pair that was granted and not stored yet, else a new one."""
        account, old = owner.account, owner.credentials
        unstored = self._unstored.get(account.account_id)
        if unstored is not None and unstored.account.token_version == account.token_version:
            return unstored.credentials
        grant = await self._outgoing.refresh_tokens(account.token_url, account.client_id, old.refresh_token)
        credentials = _replaced(old, grant)
        self._unstored[account.account_id] = TokenOwner(account, credentials)
        return credentials

    async def _store(self, account: Account, credentials: OAuthCredentials) -> Refreshed:
        def store(connection: AsyncConnection) -> Awaitable[bool]:
            return write.store_tokens(
                connection,
                account.account_id,
                credentials,
                self._secret_box,
                expected_version=account.token_version,
            )

        is_stored = await self._write(account, store)
        if is_stored is None:
            return Refreshed.FAILED
        self._unstored.pop(account.account_id, None)
        return Refreshed.STORED if is_stored else Refreshed.SUPERSEDED

    async def _refused(self, account: Account, refusal: GrantRefused) -> Refreshed:
        """Ask for a new sign-in, unless the refused pair is not the stored one any more."""

        def move(connection: AsyncConnection) -> Awaitable[bool]:
            return write.move_account(
                connection,
                account.account_id,
                AccountState.REAUTH_REQUIRED,
                reason=str(refusal),
                token_version=account.token_version,
            )

        is_moved = await self._write(account, move)
        log.warning("token refresh refused", account=account.name, code=refusal.code, is_moved=is_moved)
        return Refreshed.SUPERSEDED if is_moved is False else Refreshed.REFUSED

    async def _write(self, account: Account, change: Callable[[AsyncConnection], Awaitable[bool]]) -> bool | None:
        """Run one small transaction; None where the database could not be asked."""
        try:
            async with asyncio.timeout(STORE_SECONDS_MAX), self._engine.begin() as connection:
                return await change(connection)
        except DATABASE_ERRORS as exc:
            log.warning("account not written", account=account.name, error=type(exc).__name__)
            return None


def _replaced(old: OAuthCredentials, grant: TokenGrant) -> OAuthCredentials:
    return replace(
        old,
        access_token=grant.access_token,
        refresh_token=grant.refresh_token or old.refresh_token,
        id_token=grant.id_token or old.id_token,
    )
