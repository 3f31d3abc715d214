"""The accounts of this worker: the table's content in memory, kept current, with selection and refresh on top."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from proxy.accounts.refresh import DATABASE_ERRORS, Refreshed, Refresher, TokenOwner
from proxy.accounts.selection import Candidate, NoneUsable, choose
from proxy.accounts.standing import Standing, failed, succeeded, took_turn
from proxy.errors import NoAccounts
from proxy.outgoing import Outgoing
from proxy.records import read, write
from proxy.records.accounts import (
    SERVING,
    Account,
    AccountState,
    ApiKeyCredentials,
    Credentials,
    OAuthCredentials,
    SealedAccount,
)
from proxy.records.changes import Changes, listening
from proxy.records.secrets import SecretBox, SecretKeyUnusable

POLL_SECONDS = 5.0
"""Between two readings of the table where no notification comes: a lost one is made up for by then."""
RECONNECT_SECONDS = 0.5
"""Pause before listening again; changes act within a second once the database answers."""
READ_SECONDS_MAX = 5.0
MARK_SECONDS_MAX = 2.0
"""Longest that a failing-over request waits for the table to learn of a limited account."""
LIMIT_DAYS_MAX = 8
"""Longest that an upstream can have an account left alone; its longest window is a week."""
MODEL_CHARACTERS_MAX = 100
"""Most that a message repeats of a model's name."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Authorization:
    """What a request to an account carries, and the token version to name if it is refused."""

    headers: Mapping[str, str] = field(repr=False)
    token_version: int


@dataclass(frozen=True, slots=True)
class _Entry:
    sealed: SealedAccount
    credentials: Credentials | None
    """None: they cannot be read with this process's key."""

    @property
    def account(self) -> Account:
        return self.sealed.account


class AccountPool:
    """Selects, authorises, marks and refreshes accounts. Selecting and authorising never wait."""

    def __init__(self, engine: AsyncEngine, secret_box: SecretBox, outgoing: Outgoing) -> None:
        self._engine = engine
        self._secret_box = secret_box
        self._refresher = Refresher(engine, secret_box, outgoing)
        self._entries: dict[str, _Entry] = {}
        self._standings: dict[str, Standing] = {}
        self._turn = 0
        self._reading = asyncio.Lock()
        self._is_deaf = False
        self._following: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read the accounts and follow their changes. Raises `SecretKeyUnusable` and the database's errors."""
        await self._read()
        for entry in self._entries.values():
            if entry.credentials is None:
                self._secret_box.open(entry.sealed.sealed_credentials)
        self._following = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """Stop following; running refreshes are waited for."""
        if self._following is not None:
            self._following.cancel()
            with suppress(asyncio.CancelledError):
                await self._following
        await self._refresher.stop()

    def select(self, model: str, tried: frozenset[str]) -> Account:
        """The account whose turn it is, of those not tried (account ids); raises `NoAccounts`."""
        now = _now()
        chosen = choose(self._candidates(), tried, now)
        if isinstance(chosen, NoneUsable):
            wanted = f" for {model[:MODEL_CHARACTERS_MAX]}" if model else ""
            wait = None if chosen.frees_at is None else (chosen.frees_at - now).total_seconds()
            raise NoAccounts(f"No upstream account is available{wanted}: {chosen}.", wait)
        self._turn += 1
        self._standings[chosen.account_id] = took_turn(self._standing(chosen), self._turn)
        return chosen

    def authorization(self, account: Account) -> Authorization:
        """The headers with the newest token; raises `NoAccounts` where the account was removed meanwhile."""
        entry = self._entries.get(account.account_id)
        if entry is None or entry.credentials is None:
            raise NoAccounts("The upstream account was removed while the request was running.")
        match entry.credentials:
            case ApiKeyCredentials(api_key=token) | OAuthCredentials(access_token=token):
                headers = {"Authorization": f"Bearer {token}"}
        if entry.account.chatgpt_account_id:
            headers["chatgpt-account-id"] = entry.account.chatgpt_account_id
        return Authorization(headers, entry.account.token_version)

    async def refresh(self, account: Account, token_version: int) -> bool:
        """After a 401 with this version: True where there is a newer token now.

        False for a static key, after a definite refusal (the account is then `reauth_required`), and where the
        token endpoint or the database could not be asked, which changes nothing.
        """
        entry = self._entries.get(account.account_id)
        if entry is None or not isinstance(entry.credentials, OAuthCredentials):
            return False
        if entry.account.token_version > token_version:
            return True
        outcome = await self._refresher.refresh(TokenOwner(entry.account, entry.credentials))
        if outcome is Refreshed.FAILED or not await self._try_read():
            return False
        entry = self._entries.get(account.account_id)
        return entry is not None and entry.account.token_version > token_version

    async def mark_limited(self, account: Account, state: AccountState, until: datetime) -> None:
        """Leave an account alone until then, in all replicas and across restarts. Never raises."""
        end = min(until, _now() + timedelta(days=LIMIT_DAYS_MAX))
        if not self._limit_in_memory(account.account_id, state, end):
            return
        try:
            async with asyncio.timeout(MARK_SECONDS_MAX), self._reading, self._engine.begin() as connection:
                await write.move_account(connection, account.account_id, state, until=end)
                # A read that was under way has put the older row back.
                self._limit_in_memory(account.account_id, state, end)
        except DATABASE_ERRORS as exc:
            log.warning("account not marked", account=account.name, state=state, error=type(exc).__name__)

    def note_failure(self, account: Account) -> None:
        """A connection error or a 5xx: others go first for a while."""
        self._standings[account.account_id] = failed(self._standing(account), _now())

    def note_success(self, account: Account) -> None:
        self._standings[account.account_id] = succeeded(self._standing(account))

    def _candidates(self) -> list[Candidate]:
        return [
            Candidate(entry.account, self._standing(entry.account), entry.credentials is not None)
            for entry in self._entries.values()
        ]

    def _standing(self, account: Account) -> Standing:
        return self._standings.get(account.account_id, Standing())

    def _limit_in_memory(self, account_id: str, state: AccountState, end: datetime) -> bool:
        entry = self._entries.get(account_id)
        if entry is None or entry.account.state not in SERVING or end <= (entry.account.until or _now()):
            return False
        limited = replace(entry.account, state=state, until=end)
        self._entries[account_id] = replace(entry, sealed=replace(entry.sealed, account=limited))
        return True

    async def _follow(self) -> None:
        """Read the table at every change, for ever: the accounts as last seen serve while it cannot be read."""
        while True:
            try:
                async with listening(self._engine) as changes:
                    await self._follow_changes(changes)
            except DATABASE_ERRORS as exc:
                self._note_deaf(exc)
            except Exception:
                # Without this loop the worker would serve the accounts of its start for ever.
                log.exception("accounts cannot be followed, trying again")
            await asyncio.sleep(RECONNECT_SECONDS)

    def _note_deaf(self, exc: BaseException) -> None:
        """Say once per outage that changes are not heard."""
        if not self._is_deaf:
            log.warning("account changes are not heard, trying again", error=type(exc).__name__)
        self._is_deaf = True

    async def _follow_changes(self, changes: Changes) -> None:
        while True:
            await self._read()
            self._is_deaf = False
            await self._refresher.store_kept()
            await changes.wait(POLL_SECONDS)

    async def _try_read(self) -> bool:
        try:
            await self._read()
        except DATABASE_ERRORS as exc:
            log.warning("accounts not read", error=type(exc).__name__)
            return False
        return True

    async def _read(self) -> None:
        async with self._reading, asyncio.timeout(READ_SECONDS_MAX), self._engine.connect() as connection:
            found = await read.list_sealed_accounts(connection)
            self._entries = {sealed.account.account_id: self._entry(sealed) for sealed in found}
            self._standings = {key: value for key, value in self._standings.items() if key in self._entries}

    def _entry(self, sealed: SealedAccount) -> _Entry:
        known = self._entries.get(sealed.account.account_id)
        if known is not None and known.sealed.sealed_credentials == sealed.sealed_credentials:
            return _Entry(sealed, known.credentials)
        try:
            return _Entry(sealed, self._secret_box.open(sealed.sealed_credentials))
        except SecretKeyUnusable as exc:
            log.error("account cannot be used", account=sealed.account.name, error=str(exc))  # noqa: TRY400
            return _Entry(sealed, None)


def _now() -> datetime:
    return datetime.now(UTC)
