"""Latencies and CPU time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import psutil

from benchmarks.ledger.spec import Latency


def latency(seconds: Sequence[float]) -> Latency | None:
    """Percentiles by nearest rank; None where nothing was measured."""
    if not seconds:
        return None
    ordered = sorted(seconds)
    return Latency(
        p50=_milliseconds(ordered[(len(ordered) - 1) // 2]),
        p99=_milliseconds(ordered[max(0, -(-len(ordered) * 99 // 100) - 1)]),
        max=_milliseconds(ordered[-1]),
    )


def cpu_seconds(watched: Mapping[str, int]) -> dict[str, float]:
    """User and system time so far of each process and all that it started, ended children included."""
    return {name: _tree_seconds(psutil.Process(pid)) for name, pid in watched.items()}


def spent(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """A child that ends is counted by its parent from then on, so a sum may not fall below zero by more than noise."""
    return {name: max(0.0, after[name] - before[name]) for name in before}


def memory_bytes(pid: int) -> int:
    """Resident memory of a process and all that it started."""
    process = psutil.Process(pid)
    return sum(int(each.memory_info().rss) for each in (process, *process.children(recursive=True)))


def _tree_seconds(process: psutil.Process) -> float:
    own = process.cpu_times()
    total = float(own.user + own.system + own.children_user + own.children_system)
    for child in process.children():
        try:
            total += _tree_seconds(child)
        except psutil.NoSuchProcess:
            continue
    return total


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)
