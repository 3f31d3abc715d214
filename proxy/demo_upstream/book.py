"""The demo upstream's own account of what it reported as used, to hold against the ledger."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from proxy.demo_upstream.answers import Json, Usage

ENTRIES_MAX = 50_000
"""Newest requests kept; more than any test sends."""


@dataclass(slots=True)
class Entry:
    """One request and what it was told."""

    response_id: str
    path: str
    credential: str
    """The end of the credential, enough to tell accounts apart."""
    model: str
    behaviour: str
    label: str = ""
    """`label` of the request's metadata: how a caller finds its request here."""
    status: int = 0
    """HTTP status; 0 where none was sent."""
    usage: Usage | None = None
    """What was reported as used; None where no report was sent."""
    outcome: str = "started"

    def as_json(self) -> Json:
        return {
            "response_id": self.response_id,
            "path": self.path,
            "credential": self.credential,
            "model": self.model,
            "behaviour": self.behaviour,
            "label": self.label,
            "status": self.status,
            "outcome": self.outcome,
            "usage": self.usage.as_json() if self.usage else None,
        }


class Book:
    """The newest entries, oldest first, and the totals of what was reported since the last clearing."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=ENTRIES_MAX)
        self.clear()

    def clear(self) -> None:
        self._entries.clear()
        self._reports = 0
        self._input_tokens = 0
        self._output_tokens = 0

    @property
    def entries(self) -> tuple[Entry, ...]:
        return tuple(self._entries)

    def open(self, entry: Entry) -> Entry:
        self._entries.append(entry)
        return entry

    def report(self, entry: Entry, usage: Usage | None) -> None:
        """Note a report just before it is sent, so that whoever has read it finds it here."""
        if usage is not None:
            entry.usage = usage
            self._count(usage, 1)

    def retract(self, entry: Entry) -> None:
        """Take back a report that could not be sent after all."""
        if entry.usage is not None:
            self._count(entry.usage, -1)
            entry.usage = None

    def as_json(self) -> Json:
        totals = {
            "reports": self._reports,
            "input_tokens": self._input_tokens,
            "output_tokens": self._output_tokens,
            "total_tokens": self._input_tokens + self._output_tokens,
        }
        return {"totals": totals, "entries": [entry.as_json() for entry in self._entries]}

    def _count(self, usage: Usage, reports: int) -> None:
        self._reports += reports
        self._input_tokens += reports * usage.input_tokens
        self._output_tokens += reports * usage.output_tokens
