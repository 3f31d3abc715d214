"""When a process that ended is started again."""

from __future__ import annotations


class Pauses:
    """Doubling pauses between the starts of one process; one that lived for `steady_seconds` begins anew."""

    def __init__(self, *, seconds_min: float, seconds_max: float, steady_seconds: float) -> None:
        self._seconds_min = seconds_min
        self._seconds_max = seconds_max
        self._steady_seconds = steady_seconds
        self._next = seconds_min

    def after(self, lived_seconds: float) -> float:
        """How long to wait after a process that lived so long."""
        pause = self._seconds_min if lived_seconds > self._steady_seconds else self._next
        self._next = min(pause * 2, self._seconds_max)
        return pause
