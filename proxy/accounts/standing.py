"""How accounts have done lately: failures and back-off, which replicas share, and turns, which are their own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from proxy.records.standings import StoredStanding

BACK_OFF_SECONDS = 1.0
BACK_OFF_SECONDS_MAX = 60.0
"""A repaired upstream gets its share again within a minute."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One account's record."""

    failures: int = 0
    """In a row."""
    retry_time: datetime | None = None
    """Until then others go first; None: no failure counts."""
    last_turn: int = 0
    """Counts up over all accounts; 0: never used."""
    turn_start: float = 0.0
    """Where its last turn began on the scale of `selection.Share`."""
    change_time: datetime | None = None
    """Of the newest failure or recovery; None: there was none."""
    last_error: str = ""
    last_error_time: datetime | None = None

    def failures_at(self, now: datetime) -> int:
        """The failures that still count against it."""
        return self.failures if self.retry_time is not None and now < self.retry_time else 0


def failed(standing: Standing, now: datetime, error: str = "") -> Standing:
    """One more failure in a row; the back-off doubles."""
    failures = standing.failures + 1
    seconds = min(BACK_OFF_SECONDS_MAX, BACK_OFF_SECONDS * 2 ** min(failures - 1, 16))
    return replace(
        standing,
        failures=failures,
        retry_time=now + timedelta(seconds=seconds),
        change_time=now,
        last_error=error,
        last_error_time=now,
    )


def succeeded(standing: Standing, now: datetime) -> Standing:
    """No failure counts any more; the last error stays, to be looked up."""
    return replace(standing, failures=0, retry_time=None, change_time=now)


def took_turn(standing: Standing, turn: int, start: float = 0.0) -> Standing:
    return replace(standing, last_turn=turn, turn_start=start)


def stored(standing: Standing) -> StoredStanding | None:
    """What other replicas should know of it; None where there is nothing."""
    if standing.change_time is None:
        return None
    return StoredStanding(
        standing.failures,
        standing.retry_time,
        standing.change_time,
        standing.last_error,
        standing.last_error_time,
    )


def adopted(standing: Standing, other: StoredStanding) -> Standing:
    """With what another replica stored, if that is newer; its turns stay its own."""
    if standing.change_time is not None and standing.change_time >= other.change_time:
        return standing
    return replace(
        standing,
        failures=other.failures,
        retry_time=other.retry_time,
        change_time=other.change_time,
        last_error=other.last_error,
        last_error_time=other.last_error_time,
    )
