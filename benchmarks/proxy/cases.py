"""What is compared with what, each case by its name. Contenders take turns, so that noise meets all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace

from benchmarks.ledger.measuring import memory_bytes
from benchmarks.ledger.processes import REPOSITORY
from benchmarks.ledger.results import Goal, Row
from benchmarks.ledger.rounds import figure, say
from benchmarks.proxy.load import LoadResult, LoadSpec
from benchmarks.proxy.method import Method
from benchmarks.proxy.patterns import BRISK, LONG, PACED, Api, Pattern
from benchmarks.proxy.world import Server, World, asked, load, peer

Results = Mapping[str, Sequence[LoadResult]]
Case = Callable[[World, Method], tuple[Row, ...]]

CONNECTIONS = 32
LONG_CONNECTIONS = 4
MICROSECONDS = 1_000_000
KIBIBYTE = 1024
MEMORY_PAUSE_SECONDS = 0.5
STATISTICS_SECONDS = 2.0
LITELLM = REPOSITORY / ".venv" / "litellm" / "bin" / "litellm"
CHAT = "chat completions"


def latency(world: World, method: Method) -> tuple[Row, ...]:
    """One client: what Reserve adds before the first byte, and the durable Finalize before the last event."""
    results = _in_turns(world, method, LoadSpec("", BRISK))
    return (
        _added("latency", "one client: added to the first byte, p50", results, _first_byte, at_most=2.5),
        _added("latency", "one client: added to the whole answer of 40 events, p50", results, _whole, at_most=4.5),
    )


def streams(world: World, method: Method) -> tuple[Row, ...]:
    """Closed loop of 32 clients: how many requests a core of the proxy serves, against a core of the upstream."""
    results = _in_turns(world, method, LoadSpec("", BRISK, connections=CONNECTIONS))
    pairs = list(zip(results["proxy"], results["direct"], strict=True))
    shares = [100 * _per_core(ours, "proxy") / _per_core(theirs, "upstream") for ours, theirs in pairs]
    return (
        Row(
            "streams",
            "32 clients, 40 events: requests per second and proxy core, against the upstream's own per core",
            "%",
            figure(shares),
            Goal(is_minimum=True, value=35, unit="%"),
            note=_rates(results),
        ),
    )


def paced(world: World, method: Method) -> tuple[Row, ...]:
    """32 streams with 2 ms between events, as a model speaks."""
    results = _in_turns(world, method, LoadSpec("", PACED, connections=CONNECTIONS))
    pairs = list(zip(results["proxy"], results["direct"], strict=True))
    rate = [100 * ours.events_per_second / theirs.events_per_second for ours, theirs in pairs]
    cores = [result.cores("proxy") for result in results["proxy"]]
    added = "32 streams, 2 ms between events: added to the first byte, p50"
    return (
        Row("paced", "32 streams, 2 ms between events: event rate against direct", "%", figure(rate), _least(98, "%")),
        Row("paced", "the same: cores of the proxy", "cores", figure(cores), _most(0.5, "cores")),
        _added("paced", added, results, _first_byte, at_most=4.0),
    )


def long(world: World, method: Method) -> tuple[Row, ...]:
    """Streams of 1,000 events: what one event costs."""
    spec = LoadSpec("", LONG, connections=LONG_CONNECTIONS)
    rounds = [_measured(world, world.proxy, method, spec) for _ in range(method.rounds)]
    costs = [MICROSECONDS * result.cpu_seconds["proxy"] / result.events for result in rounds]
    return (Row("long", "streams of 1,000 events: proxy CPU per event", "us", figure(costs), _most(25, "us")),)


def statements(world: World, method: Method) -> tuple[Row, ...]:
    """Transactions on the proxy's own database while it is busy: those of its background batches alone."""
    before = _transactions(world)
    result = _measured(world, world.proxy, method, LoadSpec("", BRISK, connections=CONNECTIONS))
    during = _transactions(world) - before
    seconds = result.seconds + method.warm_up_seconds
    note = f"{during} transactions in {seconds:.0f} s, {result.requests} requests within {result.seconds:.0f} s of them"
    value = figure([during / max(1, result.requests)])
    return (Row("statements", "database transactions of the proxy per request", "", value, _most(0.05, ""), note=note),)


def memory(world: World, method: Method) -> tuple[Row, ...]:
    """Very many streams that are open and idle; all have to complete."""
    events = 2 + round(method.idle_seconds / method.idle_pause_seconds)
    idle = Pattern(events, round(1_000 * method.idle_pause_seconds))
    spec = LoadSpec("", idle, connections=method.idle_streams, measured_seconds=0, watched=world.watched)
    _measured(world, world.proxy, method, LoadSpec("", BRISK, connections=CONNECTIONS))  # what is made once, is made
    before = memory_bytes(world.proxy.process.pid)
    result, most = _watched_load(asked(world.proxy, spec), world.proxy.process.pid)
    each = (most - before) / method.idle_streams / KIBIBYTE
    whole = f"{method.idle_streams:,} streams open at once on one replica: those that complete"
    return (
        Row("memory", "memory of the proxy per open idle stream", "KiB", figure([each]), _most(60, "KiB")),
        Row("memory", whole, "streams", figure([result.requests]), _least(method.idle_streams, "streams")),
    )


def peers(world: World, method: Method) -> tuple[Row, ...]:
    """LiteLLM's proxy, which has no quota to ask here, before the same upstream, by the API that it knows best."""
    with peer(world.site, LITELLM, world.upstream) as litellm:
        watched = {**world.watched, "litellm": litellm.process.pid}
        one = LoadSpec("", BRISK, api=Api.CHAT, watched=watched)
        many = LoadSpec("", BRISK, api=Api.CHAT, connections=CONNECTIONS, watched=watched)
        contenders = (world.upstream, world.proxy, litellm)
        alone = _in_turns(world, method, one, contenders)
        crowd = _in_turns(world, method, many, contenders)
    pairs = list(zip(crowd["proxy"], crowd["LiteLLM"], strict=True))
    ratio = [_per_core(ours, "proxy") / _per_core(theirs, "litellm") for ours, theirs in pairs]
    ours = "ours, reserving and settling"
    return (
        _added("peers", f"{CHAT}, one client: {ours}, added to the first byte, p50", alone, _first_byte),
        _added("peers", f"{CHAT}, one client: LiteLLM, added to the first byte, p50", alone, _first_byte, "LiteLLM"),
        Row(
            "peers",
            f"{CHAT}, 32 clients, 40 events: requests per second and core, {ours}, against LiteLLM",
            "times",
            figure(ratio),
            note=_rates(crowd),
        ),
    )


CASES: Mapping[str, Case] = {
    "latency": latency,
    "streams": streams,
    "paced": paced,
    "long": long,
    "statements": statements,
    "memory": memory,
    "peers": peers,
}


def _in_turns(world: World, method: Method, spec: LoadSpec, contenders: Sequence[Server] = ()) -> Results:
    servers = contenders or (world.upstream, world.proxy)
    results: dict[str, list[LoadResult]] = {server.name: [] for server in servers}
    for _ in range(method.rounds):
        for server in servers:
            results[server.name].append(_measured(world, server, method, spec))
    return results


def _measured(world: World, server: Server, method: Method, spec: LoadSpec) -> LoadResult:
    timed = replace(
        spec,
        warm_up_seconds=method.warm_up_seconds,
        measured_seconds=method.measured_seconds,
        watched=spec.watched or world.watched,
    )
    result = load(asked(server, timed))
    say(_line(server.name, result))
    return result


def _watched_load(spec: LoadSpec, pid: int) -> tuple[LoadResult, int]:
    """A load, and the most memory that the process had in it."""
    most = 0
    with ThreadPoolExecutor(1) as threads:
        loading = threads.submit(load, spec)
        while not loading.done():
            most = max(most, memory_bytes(pid))
            wait((loading,), MEMORY_PAUSE_SECONDS)
        return loading.result(), most


def _transactions(world: World) -> int:
    """Committed on the proxy's database so far; the statistics lag by a second."""
    time.sleep(STATISTICS_SECONDS)
    name = world.proxy_database
    query = f"SELECT xact_commit FROM pg_catalog.pg_stat_database WHERE datname = '{name}'"
    return int(str(world.site.server.run("postgres", lambda connection: connection.fetchval(query))))


def _added(
    case: str,
    measure: str,
    results: Results,
    of: Callable[[LoadResult], float],
    name: str = "proxy",
    *,
    at_most: float | None = None,
) -> Row:
    pairs = zip(results[name], results["direct"], strict=True)
    added = figure([of(ours) - of(direct) for ours, direct in pairs])
    return Row(case, measure, "ms", added, None if at_most is None else _most(at_most, "ms"))


def _first_byte(result: LoadResult) -> float:
    return result.first_byte.p50 if result.first_byte else 0.0


def _whole(result: LoadResult) -> float:
    return result.whole.p50 if result.whole else 0.0


def _per_core(result: LoadResult, process: str) -> float:
    return result.requests / result.cpu_seconds[process]


def _least(value: float, unit: str) -> Goal:
    return Goal(is_minimum=True, value=value, unit=unit)


def _most(value: float, unit: str) -> Goal:
    return Goal(is_minimum=False, value=value, unit=unit)


def _rates(results: Results) -> str:
    rates = {name: figure([result.requests_per_second for result in rounds]) for name, rounds in results.items()}
    return ", ".join(f"{name} {rate.median:,.0f} requests/s" for name, rate in rates.items())


def _line(name: str, result: LoadResult) -> str:
    cores = ", ".join(f"{process} {result.cores(process):.2f}" for process in result.cpu_seconds)
    times = f"first byte {_first_byte(result):.2f} ms, whole {_whole(result):.2f} ms"
    rates = f"{result.requests_per_second:,.0f} requests/s, {result.events_per_second:,.0f} events/s"
    return f"{name}: {rates}; {times}; cores {cores}"
