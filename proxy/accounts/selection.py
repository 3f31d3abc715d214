"""Which account serves next: a function of the accounts, their standing, what was tried, and the time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Set
from dataclasses import dataclass
from datetime import datetime

from proxy.accounts.standing import Standing
from proxy.records.accounts import Account, AccountState


@dataclass(frozen=True, slots=True)
class Candidate:
    """An account with its standing in this process."""

    account: Account
    standing: Standing
    is_readable: bool = True
    """False: its credentials were encrypted with another key."""


@dataclass(frozen=True, slots=True)
class NoneUsable:
    """Why no account can serve, and when the first limited one is free again."""

    reasons: tuple[str, ...]
    frees_at: datetime | None

    def __str__(self) -> str:
        why = ", ".join(self.reasons) or "none is configured"
        when = f"; the first is free again at {self.frees_at:%Y-%m-%dT%H:%M:%SZ}" if self.frees_at else ""
        return why + when


def choose(candidates: Collection[Candidate], tried: Set[str], now: datetime) -> Account | NoneUsable:
    """The usable account with the fewest failures that still count, then the one unused for longest.

    Usable is what is active and was not tried for this request. Back-off only orders: an account that failed a
    moment ago serves where no other can. Ties go to the lowest id, so that the same input gives the same account.
    """
    usable = [candidate for candidate in candidates if obstacle(candidate, tried, now) is None]
    if not usable:
        return _none_usable(candidates, tried, now)

    def order(candidate: Candidate) -> tuple[int, int, str]:
        standing = candidate.standing
        return standing.failures_at(now), standing.last_turn, candidate.account.account_id

    return min(usable, key=order).account


def obstacle(candidate: Candidate, tried: Set[str], now: datetime) -> str | None:
    """What keeps an account from serving this request; None where nothing does."""
    state = candidate.account.state_at(now)
    if state is not AccountState.ACTIVE:
        return state.value
    if not candidate.is_readable:
        return "unreadable"
    return "tried" if candidate.account.account_id in tried else None


def _none_usable(candidates: Collection[Candidate], tried: Set[str], now: datetime) -> NoneUsable:
    obstacles = Counter(str(obstacle(candidate, tried, now)) for candidate in candidates)
    ends = (candidate.account.until for candidate in candidates if candidate.account.state_at(now).is_limited)
    return NoneUsable(
        tuple(f"{count} {name}" for name, count in sorted(obstacles.items())),
        min((until for until in ends if until is not None), default=None),
    )
