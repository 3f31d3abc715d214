"""What callers asked and what they were told: all that the check afterwards goes by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from quotad.values import Reservation

UNKNOWN = "UNKNOWN"
"""The reason of a call without a definite answer."""


class Kind(StrEnum):
    RESERVE = "reserve"
    FINALIZE = "finalize"
    RELEASE = "release"
    RENEW = "renew"


@dataclass(frozen=True, slots=True)
class Ask:
    """What a call says. A repeat is the same."""

    kind: Kind
    reservation_id: str
    api_key_id: str
    amounts: tuple[tuple[str, int], ...] = ()
    allow_unreserved: bool = False
    lease_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What it was answered; `reason` is empty where it was OK."""

    reason: str = ""
    message: str = ""
    reservation: Reservation | None = None
    replayed: bool = False
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One call, with when it began and ended by the caller's clock."""

    ask: Ask
    told: Told
    began: float
    ended: float

    @property
    def is_granted(self) -> bool:
        return self.ask.kind is Kind.RESERVE and not self.told.reason

    @property
    def is_settled(self) -> bool:
        return self.ask.kind in {Kind.FINALIZE, Kind.RELEASE} and not self.told.reason


@dataclass(slots=True)
class History:
    """All calls, in the order in which they ended."""

    calls: list[Call] = field(default_factory=list)

    def unresolved(self) -> list[Ask]:
        """What still has no definite answer, each once. Renewals have none to give."""
        asked = [call.ask for call in self.calls if call.told.reason == UNKNOWN and call.ask.kind is not Kind.RENEW]
        return list(dict.fromkeys(asked))

    def by_id(self) -> Mapping[str, list[Call]]:
        calls: dict[str, list[Call]] = {}
        for call in self.calls:
            calls.setdefault(call.ask.reservation_id, []).append(call)
        return calls

    def count(self) -> dict[str, int]:
        """Calls by kind and reason."""
        counts: dict[str, int] = {}
        for call in self.calls:
            name = f"{call.ask.kind} {call.told.reason or 'OK'}"
            counts[name] = counts.get(name, 0) + 1
        return dict(sorted(counts.items()))
