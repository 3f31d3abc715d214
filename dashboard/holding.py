"""Open holds by their age, from a bounded look at the oldest."""

from __future__ import annotations

from collections.abc import Sequence

AGES_SECONDS = (0, 60, 300, 1800)
"""Where the groups begin: within a minute most requests are over, and half an hour is a lease renewed thirty times."""


def by_age(ages_seconds: Sequence[float]) -> tuple[tuple[int, int], ...]:
    """How many are at least as old as each group's beginning and younger than the next one's."""
    ends = (*AGES_SECONDS[1:], float("inf"))
    return tuple(
        (begin, sum(begin <= age < end for age in ages_seconds)) for begin, end in zip(AGES_SECONDS, ends, strict=True)
    )
