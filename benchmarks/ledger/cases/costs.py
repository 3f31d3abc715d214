"""What more of something costs: limits, groups, old rows, statuses in answers, refusals."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.ledger.cases.worlds import HOT, TWO_LIMITS, make_keys, quotad_world, spread_keys
from benchmarks.ledger.contenders import Quotad, load
from benchmarks.ledger.daemons import SHORT_GRACE, Site, daemon, make_group, make_key
from benchmarks.ledger.method import AMPLE, FULL, REQUEST_AMOUNTS, Method
from benchmarks.ledger.processes import RunFailed
from benchmarks.ledger.results import Figure, Goal, Row
from benchmarks.ledger.rounds import Results, ratio, summaries, take_turns
from benchmarks.ledger.seeding import copy_key, copy_settled
from benchmarks.ledger.spec import KeySet, LoadResult, Work

ONE_LIMIT = (f"total_tokens:day:{AMPLE}",)
THREE_LIMITS = (*TWO_LIMITS, f"total_tokens:month:{AMPLE}")
COST_GOAL = Goal(is_minimum=False, value=25, unit="% lost")
PLAIN = "plain"


def limits_hot(site: Site, method: Method) -> tuple[Row, ...]:
    return _limits(site, method, "limits-hot", "one hot key", HOT)


def limits_spread(site: Site, method: Method) -> tuple[Row, ...]:
    keys = spread_keys(method)
    return _limits(site, method, "limits-spread", f"{keys.count:,} keys", keys)


def _limits(site: Site, method: Method, case: str, words: str, keys: KeySet) -> tuple[Row, ...]:
    with quotad_world(site, keys, *ONE_LIMIT) as one, quotad_world(site, keys, *THREE_LIMITS) as three:
        results = take_turns(
            (Quotad(site, method, three, "three limits", keys), Quotad(site, method, one, "one limit", keys)),
            method.rounds,
        )
    return (_cost(case, f"three limits instead of one: {words}", results, "three limits", "one limit"),)


def groups(site: Site, method: Method) -> tuple[Row, ...]:
    """Each of the two groups has a limit of its own on tokens."""
    with quotad_world(site, HOT) as plain, site.server.database() as nested:
        try:
            with daemon(site, nested, SHORT_GRACE) as listening:
                root = make_group(listening.target, "root", *ONE_LIMIT)
                inner = make_group(listening.target, "inner", *ONE_LIMIT, parent=root)
                made = make_key(listening.target, HOT.prefix, *TWO_LIMITS, group=inner)
        except RunFailed as failed:
            return (Row("groups", "a key in a group of a group", "% lost", note=f"skipped: {failed}"),)
        site.server.run(nested, lambda connection: copy_key(connection, made, HOT))
        results = take_turns(
            (Quotad(site, method, nested, "nested", HOT), Quotad(site, method, plain, PLAIN, HOT)), method.rounds
        )
    return (_cost("groups", "a key in a group of a group: one hot key", results, "nested", PLAIN),)


def settled(site: Site, method: Method) -> tuple[Row, ...]:
    """The old rows are due long after the run, so that both sides purge the same."""
    keys = spread_keys(method)
    with quotad_world(site, keys) as plain, quotad_world(site, keys) as large:
        copied = Quotad(site, method, large, "old rows", keys)
        _settle_one(copied)
        site.server.run(large, lambda connection: copy_settled(connection, method.settled_rows))
        results = take_turns((copied, Quotad(site, method, plain, PLAIN, keys)), method.rounds)
    words = f"a ledger of {method.settled_rows:,} settled reservations: {keys.count:,} keys"
    case = "settled" if method.settled_rows <= FULL.settled_rows else "settled-large"
    return (_cost(case, words, results, "old rows", PLAIN),)


def statuses(site: Site, method: Method) -> tuple[Row, ...]:
    """With `limits_view = ALL` an answer carries the status of each limit, as a proxy's headers need it."""
    with quotad_world(site, HOT) as database:
        full = Quotad(site, method, database, "with statuses", HOT, changes={"limits_view": "all"})
        results = take_turns((full, Quotad(site, method, database, PLAIN, HOT)), method.rounds)
    row = _cost("statuses", "answers with the status of every limit: one hot key", results, "with statuses", PLAIN)
    return (replace(row, goal=None),)


def refusals(site: Site, method: Method) -> tuple[Row, ...]:
    """Refused calls per second against the calls per second of admitted pairs, renewals included."""
    exhausted = KeySet("exhausted-")
    with quotad_world(site, HOT) as database:
        make_keys(site, database, exhausted, f"total_tokens:lifetime:{REQUEST_AMOUNTS['total_tokens']}")
        filling = {"actual": REQUEST_AMOUNTS, "tasks": 1, "measured_seconds": 0.2}
        refused = Quotad(site, method, database, "refused", exhausted, changes={"work": Work.REFUSALS}, is_aged=False)
        with refused.running() as listening:
            load(replace(refused.spec(listening), work=Work.PAIRS, **filling))  # type: ignore[arg-type]
        results = take_turns((refused, Quotad(site, method, database, "admitted", HOT)), method.rounds)
    row = Row(
        "refusals",
        "refusals on an exhausted hot key against admissions, in calls per second",
        "times",
        ratio(results, "refused", "admitted", _calls_per_second),
        Goal(is_minimum=True, value=1, unit="times"),
        summaries(results),
    )
    return (row,)


def _settle_one(quotad: Quotad) -> None:
    """A settled reservation that was charged nothing, for copies of which everything still adds up."""
    nothing = dict.fromkeys(REQUEST_AMOUNTS, 0)
    with quotad.running() as listening:
        load(replace(quotad.spec(listening), tasks=1, actual=nothing, measured_seconds=0.2))


def _cost(case: str, measure: str, results: Results, ours: str, theirs: str) -> Row:
    share = ratio(results, ours, theirs)
    lost = Figure((1 - share.median) * 100, (1 - share.max) * 100, (1 - share.min) * 100)
    return Row(case, measure, "% lost", lost, COST_GOAL, summaries(results))


def _calls_per_second(result: LoadResult) -> float:
    return result.operations / result.seconds
