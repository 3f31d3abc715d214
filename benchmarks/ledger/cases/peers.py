"""What others do for the same work: how fast, and how many requests they admit that do not fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.ledger.cases.coalesced import CLIENT
from benchmarks.ledger.cases.worlds import HOT, make_keys, quotad_world, spread_keys
from benchmarks.ledger.contenders import Peer, PostgresPlace, Quotad, RedisPlace, load
from benchmarks.ledger.daemons import Site
from benchmarks.ledger.method import REQUEST_AMOUNTS, Method
from benchmarks.ledger.results import Row
from benchmarks.ledger.rounds import figure, ratio, say, summary, take_turns
from benchmarks.ledger.spec import Driver, KeySet, LoadResult, LoadSpec, Work


def hot(site: Site, method: Method) -> tuple[Row, ...]:
    return _throughput(site, method, "peers-hot", "one hot key", HOT)


def spread(site: Site, method: Method) -> tuple[Row, ...]:
    keys = spread_keys(method)
    return _throughput(site, method, "peers-spread", f"{keys.count:,} keys", keys)


def race(site: Site, method: Method) -> tuple[Row, ...]:
    """64 tasks reserve on one key after the other until each is refused: what was admitted beyond what fits."""
    keys = KeySet("race-", method.races)
    limit = f"total_tokens:lifetime:{method.race_room * REQUEST_AMOUNTS['total_tokens']}"
    with site.server.database() as database:
        make_keys(site, database, keys, limit)
        quotad = Quotad(site, method, database, CLIENT, keys)
        racing = {"work": Work.RACE, "room": method.race_room}
        with quotad.running() as listening:
            ours = load(replace(quotad.spec(listening), **racing))  # type: ignore[arg-type]
        rows = [_overshoot(method, CLIENT, ours)]
        for peer in _peers(site, method, database, keys):
            with peer.place.open() as (target, _):
                spec = LoadSpec(driver=peer.driver, target=target, keys=keys)
                rows.append(_overshoot(method, peer.name, load(replace(spec, **racing))))  # type: ignore[arg-type]
    return tuple(rows)


def _throughput(site: Site, method: Method, case: str, words: str, keys: KeySet) -> tuple[Row, ...]:
    with quotad_world(site, keys) as database:
        peers = _peers(site, method, database, keys)
        results = take_turns((Quotad(site, method, database, CLIENT, keys), *peers), method.rounds)
    ours = summary(CLIENT, results[CLIENT])
    return tuple(
        Row(
            case,
            f"coalesced client, 64 tasks, against {peer.name}: {words}",
            "times",
            ratio(results, CLIENT, peer.name),
            contenders=(ours, summary(peer.name, results[peer.name])),
        )
        for peer in peers
    )


def _peers(site: Site, method: Method, database: str, keys: KeySet) -> Sequence[Peer]:
    return (
        Peer(site, method, "Redis script, fsync always", keys, Driver.REDIS, RedisPlace(site, "always")),
        Peer(site, method, "Redis script, fsync each second", keys, Driver.REDIS, RedisPlace(site, "everysec")),
        Peer(
            site,
            method,
            "read, check, write on Postgres",
            keys,
            Driver.READ_CHECK_WRITE,
            PostgresPlace(site, database),
        ),
    )


def _overshoot(method: Method, name: str, result: LoadResult) -> Row:
    beyond = [float(admitted - method.race_room) for admitted in result.admitted]
    say(f"race of {name}: {beyond} beyond {method.race_room}")
    return Row(
        "race",
        f"admitted beyond the {method.race_room:,} that fit, 64 tasks in a race: {name}",
        "requests",
        figure(beyond),
        note=f"{len(beyond)} races",
    )
