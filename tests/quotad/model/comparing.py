"""When an answer is what the oracle says."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

EXAMPLE_MAX = timedelta(minutes=20)
"""What an example may take: far less than the half hour that decides something."""


def comparable(answer: Any) -> Any:
    """Without what the rules leave open."""
    reservation = answer.get("reservation") if isinstance(answer, dict) else None
    if reservation is None:
        return answer
    told = dict(reservation)
    if answer.get("error") == "RESERVATION_NOT_OPEN" and told["state"] == "reserved":
        told["state"] = "expired"  # its lease has lapsed, whether or not somebody has moved it already
    return {**answer, "reservation": told}


def alike(found: Any, expected: Any) -> bool:
    """The same, but for the minutes that an example itself has taken."""
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(alike(found[name], expected[name]) for name in expected)
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(alike, found, expected))
    if isinstance(expected, datetime) and isinstance(found, datetime):
        return abs(found - expected) < EXAMPLE_MAX
    if isinstance(expected, timedelta) and isinstance(found, timedelta):
        return abs(found - expected) < EXAMPLE_MAX
    return bool(found == expected)
