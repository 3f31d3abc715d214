"""Upstream accounts: what they are, the states they pass through, and who may move them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class AccountKind(StrEnum):
    """What an account authenticates with."""

    API_KEY = "api_key"
    OAUTH = "oauth"


class AccountState(StrEnum):
    """Where an account stands; the two limited states carry the time at which they end."""

    ACTIVE = "active"
    RATE_LIMITED = "rate_limited"
    QUOTA_EXCEEDED = "quota_exceeded"
    PAUSED = "paused"
    REAUTH_REQUIRED = "reauth_required"
    DEACTIVATED = "deactivated"

    @property
    def is_limited(self) -> bool:
        return self in LIMITED


LIMITED = frozenset((AccountState.RATE_LIMITED, AccountState.QUOTA_EXCEEDED))
SERVING = frozenset((AccountState.ACTIVE, *LIMITED))

TRANSITIONS: dict[AccountState, frozenset[AccountState]] = {
    AccountState.ACTIVE: frozenset(AccountState) - {AccountState.ACTIVE},
    AccountState.RATE_LIMITED: SERVING,
    AccountState.QUOTA_EXCEEDED: SERVING,
    AccountState.PAUSED: frozenset(AccountState) - {AccountState.PAUSED},
    AccountState.REAUTH_REQUIRED: SERVING,
    AccountState.DEACTIVATED: SERVING | {AccountState.REAUTH_REQUIRED},
}
"""State to the states that it can follow. What an operator paused, no answer of an upstream moves."""


class AccountNameTaken(ValueError):
    """An account of this name exists."""


class AccountNotFound(LookupError):
    """No account has this name."""


@dataclass(frozen=True, slots=True)
class ApiKeyCredentials:
    """A static key."""

    api_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class OAuthCredentials:
    """A token pair; the refresh token works once."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    id_token: str = field(default="", repr=False)


Credentials = ApiKeyCredentials | OAuthCredentials


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to be added."""

    name: str
    base_url: str
    credentials: Credentials
    token_url: str = ""
    client_id: str = ""
    chatgpt_account_id: str = ""
    usage_url: str = ""
    is_demo: bool = False

    @property
    def kind(self) -> AccountKind:
        return AccountKind.API_KEY if isinstance(self.credentials, ApiKeyCredentials) else AccountKind.OAUTH


@dataclass(frozen=True, slots=True)
class Account:
    """An account as everyone may see it: without its secrets."""

    account_id: str
    name: str
    base_url: str
    """Without a trailing slash; `/responses` and so on are appended."""
    kind: AccountKind
    token_version: int
    """Counts up with every stored token pair."""
    token_url: str
    client_id: str
    chatgpt_account_id: str
    usage_url: str
    state: AccountState
    until: datetime | None
    """When a limited state ends, by the proxies' clocks."""
    state_reason: str
    is_demo: bool
    create_time: datetime

    def state_at(self, now: datetime) -> AccountState:
        """The state in effect: a limit that has passed is none."""
        has_passed = self.until is not None and self.until <= now
        return AccountState.ACTIVE if has_passed else self.state


@dataclass(frozen=True, slots=True)
class SealedAccount:
    """An account with its encrypted credentials, for the proxy alone."""

    account: Account
    sealed_credentials: bytes = field(repr=False)
