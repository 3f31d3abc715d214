"""How long, how often and how large: the same for every contender of a run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Method:
    """The numbers of a run."""

    warm_up_seconds: float = 5.0
    measured_seconds: float = 20.0
    rounds: int = 5
    horizon_seconds: float = 60.0
    """A settled reservation is purged this long after it was settled."""
    aging_seconds: float = 65.0
    """Load before the first round, so that from its start on rows fall due as fast as they are made."""
    keys: int = 10_000
    tenants: int = 1_000
    settled_rows: int = 5_000_000
    lapsing_holds: int = 100_000
    lapse_watch_seconds: float = 15.0
    memory_keys: int = 100_000
    race_room: int = 1_000
    """Requests that fit the limit of a race."""
    races: int = 20
    pgbench_clients: tuple[int, ...] = (1, 4, 16, 64)
    baseline_connections: tuple[int, ...] = (2, 4, 8, 16)
    """Tried before the first round; the best one is measured."""
    probe_seconds: float = 5.0
    """Length of such a try."""


FULL = Method()
QUICK = Method(
    warm_up_seconds=0.5,
    measured_seconds=2.0,
    rounds=1,
    horizon_seconds=2.0,
    aging_seconds=2.5,
    keys=1_000,
    tenants=100,
    settled_rows=20_000,
    lapsing_holds=500,
    lapse_watch_seconds=3.0,
    memory_keys=1_000,
    race_room=100,
    races=2,
    pgbench_clients=(1, 16),
    baseline_connections=(4,),
    probe_seconds=1.0,
)
"""Shows that everything works; its figures say nothing."""

RENEW_EVERY = 10
"""One reservation in ten is renewed once."""
LEASE_SECONDS = 60.0
REQUEST_AMOUNTS = {"requests": 1, "total_tokens": 1_000}
ACTUAL_AMOUNTS = {"requests": 1, "total_tokens": 700}
AMPLE = 10**15
"""A limit's largest maximum: what is measured with it is admitted."""
MODEL = "model-1"
