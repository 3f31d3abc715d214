"""Which account serves next: a function of the accounts, their standing and usage, what was tried, and the time."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

from proxy.accounts.standing import Standing
from proxy.records.accounts import Account, AccountState
from proxy.records.settings import RoutingStrategy
from proxy.records.usage import FULL_PERCENT, NO_USAGE, AccountUsage

WEIGHT_MIN = 0.02
"""An account that is almost used up still gets a turn now and then: its windows may have been raised since."""
STICKY_WEIGHTS = 10
"""Steps of the weights by which keys are spread, coarse so that replicas with slightly different samples agree."""
NEVER = math.inf


@dataclass(frozen=True, slots=True)
class Candidate:
    """An account with its standing and its usage as this process knows them."""

    account: Account
    standing: Standing
    is_readable: bool = True
    """False: its credentials were encrypted with another key."""
    usage: AccountUsage = NO_USAGE


@dataclass(frozen=True, slots=True)
class Routing:
    """How to choose. `sticky_key` names requests that should meet one account; empty: there are none."""

    strategy: RoutingStrategy = RoutingStrategy.USAGE_WEIGHTED
    sticky_key: bytes = b""
    remembered: str = ""
    """The id of the account that this key met last."""


DEFAULT = Routing()


@dataclass(frozen=True, slots=True)
class Chosen:
    """The account whose turn it is, and where its turn starts; see `Share`."""

    account: Account
    turn_start: float = 0.0


@dataclass(frozen=True, slots=True)
class NoneUsable:
    """Why no account can serve, and when the first limited one is free again."""

    reasons: tuple[str, ...]
    frees_at: datetime | None

    def __str__(self) -> str:
        why = ", ".join(self.reasons) or "none is configured"
        when = f"; the first is free again at {self.frees_at:%Y-%m-%dT%H:%M:%SZ}" if self.frees_at else ""
        return why + when


@dataclass(frozen=True, slots=True)
class Share:
    """Fair turns by weight: a turn is as long as one over the weight, and whose turn would end first goes first.

    An account that was away has its next turn at most one turn behind the present: it catches up on nothing.
    """

    start: float
    length: float

    @property
    def end(self) -> float:
        return self.start + self.length


def choose(
    candidates: Collection[Candidate], tried: Set[str], now: datetime, routing: Routing = DEFAULT
) -> Chosen | NoneUsable:
    """The usable account that the strategy puts first, of those with the fewest failures that still count.

    Usable is what is active and was not tried for this request. Back-off only orders: an account that failed a
    moment ago serves where no other can. Ties go to the one unused for longest, then to the lowest id, so that the
    same input gives the same account. A sticky key goes where it went last, else to an account that follows from the
    key, the same in every replica.
    """
    usable = [candidate for candidate in candidates if obstacle(candidate, tried, now) is None]
    if not usable:
        return _none_usable(candidates, tried, now)
    fewest = min(candidate.standing.failures_at(now) for candidate in usable)
    steady = [candidate for candidate in usable if candidate.standing.failures_at(now) == fewest]
    present = max(candidate.standing.turn_start for candidate in candidates)
    chosen = _sticky(steady, now, routing) if routing.sticky_key else None
    if chosen is None:
        chosen = min(steady, key=lambda candidate: _order(candidate, present, now, routing.strategy))
    return Chosen(chosen.account, _share(chosen, present, now).start)


def obstacle(candidate: Candidate, tried: Set[str], now: datetime) -> str | None:
    """What keeps an account from serving this request; None where nothing does."""
    state = candidate.account.state_at(now)
    if state is not AccountState.ACTIVE:
        return state.value
    if not candidate.is_readable:
        return "unreadable"
    return "tried" if candidate.account.account_id in tried else None


def weight(usage: AccountUsage, now: datetime) -> float:
    """The share of its tightest window that is left, for 1 an account without samples, which counts as fresh."""
    used = max((window.used_percent_at(now) for window in usage.windows), default=0.0)
    return max(WEIGHT_MIN, 1.0 - used / FULL_PERCENT)


def reset_order(usage: AccountUsage, now: datetime) -> float:
    """When the longer of the two windows resets, in Unix seconds; `NEVER` where that is not known."""
    window = usage.secondary or usage.primary
    if window is None or window.reset_time is None or window.reset_time <= now:
        return NEVER
    return window.reset_time.timestamp()


def _order(
    candidate: Candidate, present: float, now: datetime, strategy: RoutingStrategy
) -> tuple[float, float, int, str]:
    last = candidate.standing.last_turn, candidate.account.account_id
    if strategy is RoutingStrategy.ROUND_ROBIN:
        return 0.0, 0.0, *last
    return _rank(candidate, now, strategy), _share(candidate, present, now).end, *last


def _rank(candidate: Candidate, now: datetime, strategy: RoutingStrategy) -> float:
    """What goes before all weights."""
    return reset_order(candidate.usage, now) if strategy is RoutingStrategy.PREFER_EARLIER_RESET else 0.0


def _share(candidate: Candidate, present: float, now: datetime) -> Share:
    length = 1.0 / weight(candidate.usage, now)
    standing = candidate.standing
    start = standing.turn_start + length if standing.last_turn else 0.0
    return Share(max(start, present - length), length)


def _sticky(steady: Sequence[Candidate], now: datetime, routing: Routing) -> Candidate | None:
    """The account of a sticky key: the remembered one, else the winner of a weighted rendezvous."""
    for candidate in steady:
        if candidate.account.account_id == routing.remembered:
            return candidate
    first = min(_rank(candidate, now, routing.strategy) for candidate in steady)
    ahead = [candidate for candidate in steady if _rank(candidate, now, routing.strategy) == first]
    return max(ahead, key=lambda candidate: (_score(candidate, now, routing), candidate.account.account_id))


def _score(candidate: Candidate, now: datetime, routing: Routing) -> float:
    """A draw that depends on key and account alone, scaled so that each account wins in proportion to its weight."""
    is_even = routing.strategy is RoutingStrategy.ROUND_ROBIN
    steps = 1.0 if is_even else math.ceil(weight(candidate.usage, now) * STICKY_WEIGHTS)
    digest = blake2b(candidate.account.account_id.encode(), key=routing.sticky_key, digest_size=8).digest()
    drawn = (int.from_bytes(digest) + 1) / (2**64 + 1)
    return -steps / math.log(drawn)


def _none_usable(candidates: Collection[Candidate], tried: Set[str], now: datetime) -> NoneUsable:
    obstacles = Counter(str(obstacle(candidate, tried, now)) for candidate in candidates)
    ends = (candidate.account.until for candidate in candidates if candidate.account.state_at(now).is_limited)
    return NoneUsable(
        tuple(f"{count} {name}" for name, count in sorted(obstacles.items())),
        min((until for until in ends if until is not None), default=None),
    )
