"""How long, how often and how large: the same for every contender of a run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Method:
    """The numbers of a run."""

    warm_up_seconds: float = 3.0
    measured_seconds: float = 15.0
    rounds: int = 5
    idle_streams: int = 2_000
    idle_seconds: float = 30.0
    """How long an idle stream lasts."""
    idle_pause_seconds: float = 10.0
    """Between its events."""


FULL = Method()
QUICK = Method(1.0, 3.0, 1, idle_streams=50, idle_seconds=4.0, idle_pause_seconds=2.0)
"""Shows that everything works; its figures say nothing."""
