"""Answers that are read on after their callers left: so many at a time, and of each so much (S13).

A drain that is cut is charged an estimate of the whole answer, so no bound makes leaving early cheaper than staying.
"""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import Counter, Gauge

draining = Gauge("proxy_drains", "Answers that are read on although their callers have left.")
cut_drains = Counter("proxy_cut_drains", "Drains that were cut because too many began after them.")


class Drains:
    """All drains of a process, oldest first."""

    def __init__(self, drains_max: int) -> None:
        self._drains_max = drains_max
        self._cuts: dict[Callable[[], None], None] = {}

    def begin(self, cut: Callable[[], None]) -> None:
        """One more; where they are too many the oldest is cut. `cut` ends this one, and names it."""
        if cut in self._cuts:
            return
        self._cuts[cut] = None
        draining.inc()
        if len(self._cuts) > self._drains_max:
            oldest = next(iter(self._cuts))
            self.end(oldest)
            cut_drains.inc()
            oldest()

    def end(self, cut: Callable[[], None]) -> None:
        """It is over. Repeating this changes nothing."""
        if cut in self._cuts:
            del self._cuts[cut]
            draining.dec()
