"""Accounts whose upstream refuses `stream_options`: their chat streams report usage only if they do so unasked.

By model, because one upstream may serve models of several kinds.
"""

from __future__ import annotations

import time
from collections import OrderedDict

ENTRIES_MAX = 1_000
REMEMBERED_SECONDS = 3600.0
"""After that the account is asked again; its upstream may have learnt it."""
REFUSING_STATUSES = frozenset((400, 422))
FIELD_NAMES = (b"stream_options", b"include_usage")


class Unreporting:
    """What a worker remembers of them, in memory."""

    def __init__(self) -> None:
        self._until: OrderedDict[tuple[str, str], float] = OrderedDict()

    def remember(self, account_id: str, model: str) -> None:
        """It answered without the field what it had refused with it."""
        self._until[account_id, model] = time.monotonic() + REMEMBERED_SECONDS
        self._until.move_to_end((account_id, model))
        if len(self._until) > ENTRIES_MAX:
            self._until.popitem(last=False)

    def has(self, account_id: str, model: str) -> bool:
        return self._until.get((account_id, model), 0.0) > time.monotonic()


def may_be_refused_field(status: int, body: bytes) -> bool:
    """The refusal speaks of what the proxy has added to the request."""
    return status in REFUSING_STATUSES and any(name in body for name in FIELD_NAMES)
