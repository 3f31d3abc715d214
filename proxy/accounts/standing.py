"""How accounts have done lately in this process: failures, back-off, turns. Lost at a restart, and harmless so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

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

    def failures_at(self, now: datetime) -> int:
        """The failures that still count against it."""
        return self.failures if self.retry_time is not None and now < self.retry_time else 0


def failed(standing: Standing, now: datetime) -> Standing:
    """One more failure in a row; the back-off doubles."""
    failures = standing.failures + 1
    seconds = min(BACK_OFF_SECONDS_MAX, BACK_OFF_SECONDS * 2 ** min(failures - 1, 16))
    return replace(standing, failures=failures, retry_time=now + timedelta(seconds=seconds))


def succeeded(standing: Standing) -> Standing:
    return replace(standing, failures=0, retry_time=None)


def took_turn(standing: Standing, turn: int) -> Standing:
    return replace(standing, last_turn=turn)
