"""How an attempt ends, as data: done, to be retried for a reason, or failed. An attempt never settles (S1, S8)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from proxy.errors import ProxyError
from proxy.metering.usage import Terminal
from proxy.records.accounts import AccountState


class RetryReason(StrEnum):
    """Why another attempt may succeed where this one did not."""

    REFRESHED = "refreshed"
    """The token was refused and there is a newer one: the same account again."""
    UNREPORTING = "unreporting"
    """The upstream refused to be asked for a usage report: the same account again, without asking."""
    UNAUTHORIZED = "unauthorized"
    LIMITED = "limited"
    UNREACHABLE = "unreachable"
    """No connection, a broken one, or silence, before anything of an answer came."""
    FAILING = "failing"
    """The upstream said that it failed."""
    NOT_THE_API = "not_the_api"
    """A success that is no answer of the API: a web page, or nothing at all."""


@dataclass(frozen=True, slots=True)
class AccountLimit:
    """Until when an account should be left alone."""

    state: AccountState
    until: datetime


@dataclass(frozen=True, slots=True)
class Done:
    """The answer was relayed to its end."""

    status: int
    terminal: Terminal
    """How the upstream says that it ended."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Nothing was relayed, and another attempt may do better; `error` is what to say if there is none."""

    reason: RetryReason
    error: ProxyError
    status: int | None = None
    limit: AccountLimit | None = None

    @property
    def same_account(self) -> bool:
        return self.reason in (RetryReason.REFRESHED, RetryReason.UNREPORTING)

    @property
    def is_failure(self) -> bool:
        """It speaks against the account, not only against this moment."""
        return not self.same_account and self.reason is not RetryReason.LIMITED


@dataclass(frozen=True, slots=True)
class Failed:
    """No other attempt would do better, or part of an answer was relayed already."""

    error: ProxyError
    status: int | None = None


AttemptOutcome = Done | Retry | Failed
