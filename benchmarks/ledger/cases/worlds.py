"""Databases with keys in them, as the cases need them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.ledger.contenders import Other
from benchmarks.ledger.daemons import SHORT_GRACE, Site, daemon, make_key
from benchmarks.ledger.method import AMPLE, Method
from benchmarks.ledger.rounds import say
from benchmarks.ledger.seeding import copy_key, make_baseline_keys
from benchmarks.ledger.spec import KeySet

HOT = KeySet("hot-")
TWO_LIMITS = (f"requests:day:{AMPLE}", f"total_tokens:day:{AMPLE}")


def spread_keys(method: Method) -> KeySet:
    return KeySet("spread-", method.keys)


def tenants_keys(method: Method) -> KeySet:
    return KeySet("tenants-", method.keys, method.tenants)


@contextmanager
def quotad_world(site: Site, keys: KeySet, *limits: str) -> Iterator[str]:
    """A database of the ledger with these keys, each with these limits."""
    with site.server.database() as database:
        make_keys(site, database, keys, *(limits or TWO_LIMITS))
        yield database


def make_keys(site: Site, database: str, keys: KeySet, *limits: str) -> None:
    with daemon(site, database, SHORT_GRACE) as listening:
        made = make_key(listening.target, keys.prefix, *limits)
    site.server.run(database, lambda connection: copy_key(connection, made, keys))


@contextmanager
def baseline_world(site: Site, keys: KeySet, max_value: int = AMPLE) -> Iterator[str]:
    """A database of the baseline with these keys, each with a limit on requests and one on tokens."""
    with site.server.database() as database:
        site.server.run(database, lambda connection: make_baseline_keys(connection, keys, max_value))
        yield database


def best_baseline(site: Site, method: Method, database: str, keys: KeySet) -> Other:
    """The baseline with the number of connections that suits it best here."""
    tried = {}
    for connections in method.baseline_connections:
        other = Other(site, method, database, "one call per RPC", keys, "baseline", connections)
        tried[connections] = other.load(method.probe_seconds / 5, method.probe_seconds).pairs_per_second
        say(f"one call per RPC, {connections} connections: {tried[connections]:,.0f} pairs/s")
    best = max(tried, key=lambda connections: tried[connections])
    return Other(site, method, database, "one call per RPC", keys, "baseline", best)
