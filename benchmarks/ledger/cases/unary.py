"""One RPC per call against RPCs that do nothing: how much of what gRPC allows is left to the ledger."""

from __future__ import annotations

from benchmarks.ledger.cases.worlds import HOT, quotad_world, spread_keys
from benchmarks.ledger.contenders import Other, Quotad
from benchmarks.ledger.daemons import Site
from benchmarks.ledger.method import Method
from benchmarks.ledger.results import Figure, Goal, Row
from benchmarks.ledger.rounds import ratio, summaries, take_turns
from benchmarks.ledger.spec import Driver, KeySet

UNARY = "quotad, unary RPCs"
EMPTY = "empty unary RPCs"


def hot(site: Site, method: Method) -> tuple[Row, ...]:
    return _against_empty(site, method, "unary-hot", "one hot key", HOT)


def spread(site: Site, method: Method) -> tuple[Row, ...]:
    keys = spread_keys(method)
    return _against_empty(site, method, "unary-spread", f"{keys.count:,} keys", keys)


def _against_empty(site: Site, method: Method, case: str, words: str, keys: KeySet) -> tuple[Row, ...]:
    with quotad_world(site, keys) as database:
        quotad = Quotad(site, method, database, UNARY, keys, driver=Driver.UNARY)
        empty = Other(site, method, database, EMPTY, keys, "empty")
        results = take_turns((quotad, empty), method.rounds)
    row = Row(
        case,
        f"unary RPCs, 64 tasks, against empty unary RPCs on the same server with the same interceptors: {words}",
        "%",
        percent(ratio(results, UNARY, EMPTY)),
        Goal(is_minimum=True, value=70, unit="%"),
        summaries(results),
    )
    return (row,)


def percent(share: Figure) -> Figure:
    return Figure(share.median * 100, share.min * 100, share.max * 100)
