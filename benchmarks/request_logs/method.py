"""How large and how often."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Method:
    """The numbers of a run."""

    rows: int = 10_000_000
    days: int = 30
    keys: int = 300
    """A few of them make most of the requests."""
    accounts: int = 12
    models: int = 8
    rounds: int = 20
    """Each asks every question once."""
    baseline_rounds: int = 1
    """Of the window count, which takes a minute where ours takes a blink."""


FULL = Method()
QUICK = Method(rows=200_000, rounds=3, baseline_rounds=1)
"""Shows that everything works; its figures say nothing."""
FREE_BYTES_PER_ROW = 2_000
"""Rows, indexes and totals, with room for the log of their writing."""
