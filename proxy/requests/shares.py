"""Who may open another request at a worker that has room for so many. Pure.

The last tenth of the room is for keys below their fair share, which is the room by the number of keys that want some:
so one key, however busy, leaves room for the next.
"""

from __future__ import annotations

from collections import Counter
from enum import Enum, auto

RESERVE_SHARE = 10
"""One in ten places."""


class Place(Enum):
    """What a request finds."""

    FREE = auto()
    KEY_FULL = auto()
    """Its key has as many open as one may."""
    WORKER_FULL = auto()


class OpenRequests:
    """How many requests of each key are open; those without a key are bounded together only."""

    def __init__(self, *, streams_max: int, key_streams_max: int) -> None:
        self._streams_max = streams_max
        self._key_streams_max = key_streams_max
        self._by_key: Counter[str] = Counter()
        self._total = 0

    def find(self, api_key_id: str | None) -> Place:
        """Whether another request of this key may be opened."""
        if api_key_id is not None and self._by_key[api_key_id] >= self._key_streams_max:
            return Place.KEY_FULL
        free = self._streams_max - self._total
        if free <= 0:
            return Place.WORKER_FULL
        if api_key_id is not None and free <= self._streams_max // RESERVE_SHARE and self._has_its_share(api_key_id):
            return Place.WORKER_FULL
        return Place.FREE

    def opened(self, api_key_id: str | None) -> None:
        self._total += 1
        if api_key_id is not None:
            self._by_key[api_key_id] += 1

    def ended(self, api_key_id: str | None) -> None:
        self._total -= 1
        if api_key_id is None:
            return
        self._by_key[api_key_id] -= 1
        if not self._by_key[api_key_id]:
            del self._by_key[api_key_id]

    def _has_its_share(self, api_key_id: str) -> bool:
        # Whoever comes next wants a share, too.
        keys = len(self._by_key.keys() | {api_key_id})
        return self._by_key[api_key_id] >= self._streams_max / max(2, keys)
