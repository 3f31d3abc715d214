"""Upstream accounts: what they are, the states they pass through, and who may move them."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from urllib.parse import SplitResult, urlsplit


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


NAME_CHARACTERS_MAX = 128
HEADER_TOKEN = re.compile(r"[\x21-\x7e]+")
"""What may stand in a header without quoting: visible ASCII."""


class AccountError(Exception):
    """An operator's change that cannot be made; the message says why and what to do, and holds no secret."""


class AccountInvalid(AccountError):
    """A field of the account cannot be used."""


class AccountNameTaken(AccountError):
    """An account of this name exists."""


class AccountNotFound(AccountError):
    """No account has this name or id."""


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

    def __post_init__(self) -> None:
        """Raises `AccountInvalid` rather than let an account in that no request can use."""
        if not 1 <= len(self.name) <= NAME_CHARACTERS_MAX or not self.name.isprintable():
            raise AccountInvalid(f"the name must be 1 to {NAME_CHARACTERS_MAX} printable characters")
        for field_name in ("base_url", "token_url", "usage_url"):
            _require_url(field_name, getattr(self, field_name), is_optional=field_name != "base_url")
        for field_name, value in asdict(self.credentials).items():
            if not HEADER_TOKEN.fullmatch(value) and (value or field_name != "id_token"):
                raise AccountInvalid(
                    f"the {field_name.replace('_', ' ')} is empty or holds characters that no header can"
                )
        if not HEADER_TOKEN.fullmatch(self.chatgpt_account_id or "none"):
            raise AccountInvalid("the ChatGPT account id holds characters that no header can")
        if self.kind is AccountKind.OAUTH and not self.token_url:
            raise AccountInvalid("an account with a refresh token needs a token URL")

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


def _require_url(field_name: str, value: str, *, is_optional: bool) -> None:
    if is_optional and not value:
        return
    parts = _split(value)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise AccountInvalid(f"the {field_name.replace('_', ' ')} must be like https://host/path")
    if parts.username is not None or parts.query or parts.fragment or not HEADER_TOKEN.fullmatch(value):
        raise AccountInvalid(f"the {field_name.replace('_', ' ')} must have no user, query, fragment or blanks")


def _split(value: str) -> SplitResult | None:
    """The parts of a URL; None where it is none, a port that is no number included."""
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        return None
    return parts
