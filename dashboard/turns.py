"""How many of a costly thing go on at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dashboard.errors import DashboardError


class Turns:
    """So many, and whoever comes then is refused rather than kept waiting."""

    def __init__(self, turns_max: int, refusal: Callable[[], DashboardError]) -> None:
        self._left = turns_max
        self._refusal = refusal

    @contextmanager
    def taken(self) -> Iterator[None]:
        """One turn for the length of the block; raises the refusal where none is left."""
        if self._left == 0:
            raise self._refusal()
        self._left -= 1
        try:
            yield
        finally:
            self._left += 1
