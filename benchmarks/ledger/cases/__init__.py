"""What is compared with what: each case by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmarks.ledger.cases import bounds, coalesced, costs, peers, unary
from benchmarks.ledger.daemons import Site
from benchmarks.ledger.method import Method
from benchmarks.ledger.results import Row

Case = Callable[[Site, Method], tuple[Row, ...]]

CASES: Mapping[str, Case] = {
    "coalesced-hot": coalesced.hot,
    "coalesced-spread": coalesced.spread,
    "coalesced-tenants": coalesced.tenants,
    "pgbench-hot": coalesced.pgbench_hot,
    "pgbench-spread": coalesced.pgbench_spread,
    "unary-hot": unary.hot,
    "unary-spread": unary.spread,
    "limits-hot": costs.limits_hot,
    "limits-spread": costs.limits_spread,
    "groups": costs.groups,
    "settled": costs.settled,
    "statuses": costs.statuses,
    "refusals": costs.refusals,
    "lapse-spread": bounds.lapse_spread,
    "lapse-full": bounds.lapse_full,
    "memory": bounds.memory,
    "peers-hot": peers.hot,
    "peers-spread": peers.spread,
    "race": peers.race,
}
