"""The accounts of this worker: the table's content in memory, kept current, with selection and refresh on top."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from proxy.accounts.notes import NoteWriter
from proxy.accounts.refresh import Refreshed, Refresher, TokenOwner
from proxy.accounts.selection import Candidate, NoneUsable, Routing, choose
from proxy.accounts.standings import Standings
from proxy.accounts.stickiness import Stickiness
from proxy.accounts.usage import exhaustion
from proxy.accounts.usages import Usages
from proxy.errors import NoAccounts, ProxyError
from proxy.following import DATABASE_ERRORS
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
from proxy.records.secrets import SecretBox, SecretKeyUnusable
from proxy.records.settings import OperatorSettings
from proxy.records.usage import AccountUsage

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


@dataclass(frozen=True, slots=True)
class Memory:
    """What a worker knows of its accounts beside the table of them."""

    standings: Standings
    usages: Usages
    stickiness: Stickiness


class AccountPool:
    """Selects, authorises, marks and refreshes accounts. Selecting, authorising and noting never wait."""

    def __init__(
        self,
        engine: AsyncEngine,
        secret_box: SecretBox,
        refresher: Refresher,
        memory: Memory,
        notes: NoteWriter,
        operator_settings: Callable[[], OperatorSettings],
    ) -> None:
        self._engine = engine
        self._secret_box = secret_box
        self._refresher = refresher
        self._memory = memory
        self._notes = notes
        self._operator_settings = operator_settings
        self._entries: dict[str, _Entry] = {}
        self._reading = asyncio.Lock()

    async def start(self) -> None:
        """Read everything once. Raises `SecretKeyUnusable` and the database's errors."""
        await self.read_accounts()
        for entry in self._entries.values():
            if entry.credentials is None:
                self._secret_box.open(entry.sealed.sealed_credentials)
        await self.read_standings()
        await self.read_usage()

    @property
    def accounts(self) -> tuple[Account, ...]:
        return tuple(entry.account for entry in self._entries.values())

    @property
    def serving_usage(self) -> tuple[AccountUsage, ...]:
        """What the accounts report that serve, or will when a limit has passed."""
        return tuple(
            self._memory.usages.of(account.account_id) for account in self.accounts if account.state in SERVING
        )

    def select(self, model: str, tried: frozenset[str], sticky_key: bytes = b"") -> Account:
        """The account whose turn it is, of those not tried (account ids); raises `NoAccounts`."""
        now = _now()
        chosen = choose(self._candidates(), tried, now, self._routing(sticky_key))
        if isinstance(chosen, NoneUsable):
            wanted = f" for {model[:MODEL_CHARACTERS_MAX]}" if model else ""
            wait = None if chosen.frees_at is None else (chosen.frees_at - now).total_seconds()
            raise NoAccounts(f"No upstream account is available{wanted}: {chosen}.", wait)
        account_id = chosen.account.account_id
        self._memory.standings.take_turn(account_id, chosen.turn_start)
        if sticky_key:
            self._memory.stickiness.remember(sticky_key, account_id)
        return chosen.account

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
        end = _bounded(until)
        if not self._limit_in_memory(account.account_id, state, end):
            return
        try:
            async with asyncio.timeout(MARK_SECONDS_MAX), self._reading, self._engine.begin() as connection:
                await write.move_account(connection, account.account_id, state, until=end)
                # A read that was under way has put the older row back.
                self._limit_in_memory(account.account_id, state, end)
        except DATABASE_ERRORS as exc:
            log.warning("account not marked", account=account.name, state=state, error=type(exc).__name__)

    def note_failure(self, account: Account, error: ProxyError) -> None:
        """A connection error, a 5xx, a refused credential: others go first for a while."""
        self._memory.standings.note_failure(account.account_id, _now(), f"{error.code}: {error.message}")
        self._notes.note()

    def note_success(self, account: Account) -> None:
        if self._memory.standings.note_success(account.account_id, _now()):
            self._notes.note()

    def note_headers(self, account: Account, headers: Sequence[tuple[str, str]], *, is_refusal: bool = False) -> None:
        """An answer came with these headers, which may tell of the account's windows.

        A refusal is judged as a whole, by its body too, and leaves the state to `mark_limited`.
        """
        now = _now()
        told = self._memory.usages.note_headers(account.account_id, headers, now)
        if told is None:
            return
        used_up = exhaustion(told, now)
        if used_up is not None and not is_refusal:
            self._limit_in_memory(account.account_id, used_up.state, _bounded(used_up.until))
        self._notes.note()

    async def read_accounts(self) -> None:
        """Read the table of accounts anew. Raises the database's errors."""
        async with self._reading, asyncio.timeout(READ_SECONDS_MAX), self._engine.connect() as connection:
            found = await read.list_sealed_accounts(connection)
            self._entries = {sealed.account.account_id: self._entry(sealed) for sealed in found}
            self._memory.standings.keep_only(self._entries.keys())
            self._memory.usages.keep_only(self._entries.keys())

    async def read_standings(self) -> None:
        async with asyncio.timeout(READ_SECONDS_MAX), self._engine.connect() as connection:
            await self._memory.standings.read(connection)

    async def read_usage(self) -> None:
        """Read the newest samples; only for where some were written (C5)."""
        async with asyncio.timeout(READ_SECONDS_MAX), self._engine.connect() as connection:
            await self._memory.usages.read(connection)

    def _routing(self, sticky_key: bytes) -> Routing:
        settings = self._operator_settings()
        if not settings.sticky or not sticky_key:
            return Routing(settings.routing_strategy)
        return Routing(settings.routing_strategy, sticky_key, self._memory.stickiness.account_of(sticky_key))

    def _candidates(self) -> list[Candidate]:
        standings, usages = self._memory.standings, self._memory.usages
        return [
            Candidate(entry.account, standings.of(account_id), entry.credentials is not None, usages.of(account_id))
            for account_id, entry in self._entries.items()
        ]

    def _limit_in_memory(self, account_id: str, state: AccountState, end: datetime) -> bool:
        entry = self._entries.get(account_id)
        if entry is None or entry.account.state not in SERVING or end <= (entry.account.until or _now()):
            return False
        limited = replace(entry.account, state=state, until=end)
        self._entries[account_id] = replace(entry, sealed=replace(entry.sealed, account=limited))
        return True

    async def _try_read(self) -> bool:
        try:
            await self.read_accounts()
        except DATABASE_ERRORS as exc:
            log.warning("accounts not read", error=type(exc).__name__)
            return False
        return True

    def _entry(self, sealed: SealedAccount) -> _Entry:
        known = self._entries.get(sealed.account.account_id)
        if known is not None and known.sealed.sealed_credentials == sealed.sealed_credentials:
            return _Entry(sealed, known.credentials)
        try:
            return _Entry(sealed, self._secret_box.open(sealed.sealed_credentials))
        except SecretKeyUnusable as exc:
            log.error("account cannot be used", account=sealed.account.name, error=str(exc))  # noqa: TRY400
            return _Entry(sealed, None)


def _bounded(until: datetime) -> datetime:
    return min(until, _now() + timedelta(days=LIMIT_DAYS_MAX))


def _now() -> datetime:
    return datetime.now(UTC)
