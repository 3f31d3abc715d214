"""What must stay below a bound: the slowest Reserve while very many holds lapse, and the daemon's memory."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.ledger.cases.coalesced import CLIENT
from benchmarks.ledger.cases.worlds import HOT, TWO_LIMITS, quotad_world, spread_keys
from benchmarks.ledger.contenders import Quotad, load
from benchmarks.ledger.daemons import SHORT_GRACE, Site
from benchmarks.ledger.measuring import memory_bytes
from benchmarks.ledger.method import REQUEST_AMOUNTS, Method
from benchmarks.ledger.results import Goal, Row
from benchmarks.ledger.rounds import figure, line, say, summary
from benchmarks.ledger.spec import KeySet, LoadResult, Work

LAPSE_ROUNDS_MAX = 3
LONG_LEASE_SECONDS = 3_600.0
MEBIBYTE = 2**20


def lapse_spread(site: Site, method: Method) -> tuple[Row, ...]:
    keys = spread_keys(method)
    return _lapse(site, method, "lapse-spread", f"over {keys.count:,} keys with room to spare", keys, TWO_LIMITS)


def lapse_full(site: Site, method: Method) -> tuple[Row, ...]:
    """Until they lapse the holds fill the key: the first Reserve after it needs their room."""
    full = f"total_tokens:lifetime:{method.lapsing_holds * REQUEST_AMOUNTS['total_tokens']}"
    return _lapse(site, method, "lapse-full", "on one key that they fill", HOT, (full,))


def _lapse(site: Site, method: Method, case: str, words: str, keys: KeySet, limits: tuple[str, ...]) -> tuple[Row, ...]:
    results = [_lapse_once(site, method, keys, limits) for _ in range(min(method.rounds, LAPSE_ROUNDS_MAX))]
    row = Row(
        case,
        f"{method.lapsing_holds:,} holds lapse at once {words}: the slowest Reserve",
        "ms",
        figure([result.reserve.max for result in results if result.reserve]),
        Goal(is_minimum=False, value=250, unit="ms"),
        (summary(CLIENT, results),),
        f"from a second before they lapse until {method.lapse_watch_seconds:g} s after",
    )
    return (row,)


def _lapse_once(site: Site, method: Method, keys: KeySet, limits: tuple[str, ...]) -> LoadResult:
    changes = {
        "work": Work.LAPSE,
        "count": method.lapsing_holds,
        "measured_seconds": method.lapse_watch_seconds + 1,
        "lease_seconds": LONG_LEASE_SECONDS,
        "actual": dict.fromkeys(REQUEST_AMOUNTS, 0),  # else charges fill the key where holds did
    }
    with quotad_world(site, keys, *limits) as database:
        quotad = Quotad(site, method, database, CLIENT, keys, settings=SHORT_GRACE)
        with quotad.running() as listening:
            result = load(replace(quotad.spec(listening), **changes))  # type: ignore[arg-type]
    say(line("holds lapse", result))
    return result


def memory(site: Site, method: Method) -> tuple[Row, ...]:
    """One open reservation on each of very many keys, made through the client; resident memory afterwards."""
    keys = KeySet("memory-", method.memory_keys)
    with quotad_world(site, keys) as database:
        quotad = Quotad(site, method, database, CLIENT, keys)
        with quotad.running() as listening:
            before = memory_bytes(listening.process.pid) / MEBIBYTE
            changes = {"work": Work.HOLDS, "count": keys.count, "lease_seconds": LONG_LEASE_SECONDS}
            load(replace(quotad.spec(listening), **changes))  # type: ignore[arg-type]
            after = memory_bytes(listening.process.pid) / MEBIBYTE
    row = Row(
        "memory",
        f"memory of a daemon with {keys.count:,} open reservations on as many keys",
        "MiB",
        figure([after]),
        Goal(is_minimum=False, value=400, unit="MiB"),
        note=f"{before:.0f} MiB at the start",
    )
    return (row,)
