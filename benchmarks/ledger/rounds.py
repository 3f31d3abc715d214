"""Contenders take turns, A B A B, so that what disturbs the machine disturbs all of them."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Mapping, Sequence

from benchmarks.ledger.contenders import Contender
from benchmarks.ledger.processes import RunFailed
from benchmarks.ledger.results import Figure, Summary
from benchmarks.ledger.spec import Latency, LoadResult

Results = Mapping[str, Sequence[LoadResult]]
"""Of each contender by its name, one result per round."""
MICROSECONDS = 1_000_000


def take_turns(contenders: Sequence[Contender], rounds: int) -> Results:
    for contender in contenders:
        contender.prepare()
    results: dict[str, list[LoadResult]] = {contender.name: [] for contender in contenders}
    for number in range(1, rounds + 1):
        for contender in contenders:
            result = contender.measure()
            results[contender.name].append(result)
            say(f"round {number} of {rounds}: {line(contender.name, result)}")
    return results


def figure(values: Sequence[float]) -> Figure:
    return Figure(statistics.median(values), min(values), max(values))


def ratio(
    results: Results,
    ours: str,
    theirs: str,
    of: Callable[[LoadResult], float] = lambda result: result.pairs_per_second,
) -> Figure:
    """Of the two contenders' results of the same round; the median of the rounds. Raises `RunFailed`."""
    if idle := [name for name in (ours, theirs) if not all(map(of, results[name]))]:
        raise RunFailed(f"{idle[0]} did nothing within a whole round")
    return figure([of(a) / of(b) for a, b in zip(results[ours], results[theirs], strict=True)])


def summaries(results: Results) -> tuple[Summary, ...]:
    return tuple(summary(name, rounds) for name, rounds in results.items())


def summary(name: str, rounds: Sequence[LoadResult]) -> Summary:
    return Summary(
        contender=name,
        pairs_per_second=figure([result.pairs_per_second for result in rounds]),
        operations_per_second=figure([result.operations / result.seconds for result in rounds]),
        reserve=_latency([result.reserve for result in rounds]),
        finalize=_latency([result.finalize for result in rounds]),
        cpu_microseconds_per_pair={
            process: statistics.median([_per_pair(result, process) for result in rounds])
            for process in rounds[0].cpu_seconds
        },
        errors=sum(result.errors for result in rounds),
        first_error=next((result.first_error for result in rounds if result.first_error), ""),
    )


def line(name: str, result: LoadResult) -> str:
    """One result in words."""
    reserve, finalize = result.reserve, result.finalize
    cpu = ", ".join(f"{process} {_per_pair(result, process):.0f}" for process in result.cpu_seconds)
    parts = (
        f"{name}: {result.pairs_per_second:,.0f} pairs/s",
        f"{result.refused / result.seconds:,.0f} refused/s" if result.refused else "",
        f"Reserve {reserve.p50:.1f}/{reserve.p99:.1f} ms" if reserve else "",
        f"Finalize {finalize.p50:.1f}/{finalize.p99:.1f} ms" if finalize else "",
        f"CPU us per pair: {cpu}" if cpu else "",
        f"{result.errors} errors ({result.first_error})" if result.errors else "",
    )
    return "; ".join(part for part in parts if part)


def say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def _per_pair(result: LoadResult, process: str) -> float:
    """Per operation where there are no pairs."""
    return result.cpu_seconds[process] * MICROSECONDS / max(1, result.pairs or result.operations)


def _latency(rounds: Sequence[Latency | None]) -> Latency | None:
    """The medians of the rounds, and the largest of all."""
    measured = [latency for latency in rounds if latency is not None]
    if not measured:
        return None
    return Latency(
        p50=statistics.median(latency.p50 for latency in measured),
        p99=statistics.median(latency.p99 for latency in measured),
        max=max(latency.max for latency in measured),
    )
