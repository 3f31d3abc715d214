"""The client as it comes against one SQL call per request: through gRPC, and straight from pgbench."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.ledger.cases.worlds import (
    HOT,
    baseline_world,
    best_baseline,
    quotad_world,
    spread_keys,
    tenants_keys,
)
from benchmarks.ledger.contenders import Pgbench, Quotad, reservation_rows
from benchmarks.ledger.daemons import Site
from benchmarks.ledger.method import Method
from benchmarks.ledger.results import Goal, Row
from benchmarks.ledger.rounds import figure, ratio, say, summaries, take_turns
from benchmarks.ledger.spec import KeySet

CLIENT = "quotad.client"
PGBENCH = "pgbench"
PGBENCH_TASKS = 256


def hot(site: Site, method: Method) -> tuple[Row, ...]:
    return _against_baseline(site, method, "coalesced-hot", "one hot key", HOT, times=18, p99_ms=3)


def spread(site: Site, method: Method) -> tuple[Row, ...]:
    keys = spread_keys(method)
    return _against_baseline(site, method, "coalesced-spread", f"{keys.count:,} keys", keys, times=8, p99_ms=5)


def tenants(site: Site, method: Method) -> tuple[Row, ...]:
    keys = tenants_keys(method)
    words = f"{keys.count:,} keys in {keys.tenants:,} tenants"
    return _against_baseline(site, method, "coalesced-tenants", words, keys, times=2, p99_ms=None)


def pgbench_hot(site: Site, method: Method) -> tuple[Row, ...]:
    return _against_pgbench(site, method, "pgbench-hot", "one hot key", HOT, times=15)


def pgbench_spread(site: Site, method: Method) -> tuple[Row, ...]:
    keys = spread_keys(method)
    return _against_pgbench(site, method, "pgbench-spread", f"{keys.count:,} keys", keys, times=2)


def _against_baseline(
    site: Site, method: Method, case: str, words: str, keys: KeySet, *, times: float, p99_ms: float | None
) -> tuple[Row, ...]:
    with quotad_world(site, keys) as database, baseline_world(site, keys) as baseline_database:
        quotad = Quotad(site, method, database, CLIENT, keys)
        baseline = best_baseline(site, method, baseline_database, keys)
        results = take_turns((quotad, baseline), method.rounds)
        rows = reservation_rows(site, database)
    speed = Row(
        case,
        f"coalesced client against one function call per RPC, 64 tasks: {words}",
        "times",
        ratio(results, CLIENT, baseline.name),
        Goal(is_minimum=True, value=times, unit="times"),
        summaries(results),
        f"the baseline with {baseline.connections} connections, its best; {_purged(rows)}",
    )
    if p99_ms is None:
        return (speed,)
    p99 = figure([result.reserve.p99 for result in results[CLIENT] if result.reserve])
    goal = Goal(is_minimum=False, value=p99_ms, unit="ms")
    return speed, Row(case, f"Reserve, p99 at 64 coalesced tasks: {words}", "ms", p99, goal)


def _against_pgbench(
    site: Site, method: Method, case: str, words: str, keys: KeySet, *, times: float
) -> tuple[Row, ...]:
    with quotad_world(site, keys) as database, baseline_world(site, keys) as baseline_database:
        quotad = Quotad(site, method, database, CLIENT, keys, tasks=PGBENCH_TASKS)
        best = _best_pgbench(site, method, baseline_database, keys)
        results = take_turns((quotad, best), method.rounds)
    row = Row(
        case,
        f"coalesced client, {PGBENCH_TASKS} tasks, against pgbench's best per-request compare-and-set: {words}",
        "times",
        ratio(results, CLIENT, PGBENCH),
        Goal(is_minimum=True, value=times, unit="times"),
        summaries(results),
        f"pgbench with {best.clients} clients, its best of {', '.join(map(str, method.pgbench_clients))}",
    )
    return (row,)


def _best_pgbench(site: Site, method: Method, database: str, keys: KeySet) -> Pgbench:
    brief = replace(method, warm_up_seconds=1.0, measured_seconds=method.probe_seconds)
    tried = {}
    for clients in method.pgbench_clients:
        tried[clients] = Pgbench(site, brief, database, PGBENCH, keys, clients).measure().pairs_per_second
        say(f"pgbench, {clients} clients: {tried[clients]:,.0f} pairs/s")
    best = max(tried, key=lambda clients: tried[clients])
    return Pgbench(site, method, database, PGBENCH, keys, best)


def _purged(rows: dict[str, int]) -> str:
    """How far the purge kept up, over all rounds."""
    if not rows.get("made"):
        return "no rows counted"
    return f"{rows['purged'] / rows['made']:.0%} of {rows['made']:,} reservations purged by the end"
