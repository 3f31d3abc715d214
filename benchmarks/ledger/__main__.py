"""The command.

python -m benchmarks.ledger run [--quick] [--only CASE ...] [--rounds N] [--settled-rows N] [--directory DIR]
python -m benchmarks.ledger profile [--keys hot|spread|tenants] [--driver client|unary] [--tasks N] [--seconds S]
python -m benchmarks.ledger report
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from benchmarks.command import RESULTS, add_report, run_command
from benchmarks.ledger import results
from benchmarks.ledger.cases import CASES
from benchmarks.ledger.cases.worlds import HOT, quotad_world, spread_keys, tenants_keys
from benchmarks.ledger.contenders import Quotad, load, reservation_rows
from benchmarks.ledger.daemons import Site, site_below
from benchmarks.ledger.machine import facts
from benchmarks.ledger.method import FULL, QUICK, Method
from benchmarks.ledger.processes import RunFailed
from benchmarks.ledger.report import report, table
from benchmarks.ledger.results import Row, Run
from benchmarks.ledger.rounds import line, say
from benchmarks.ledger.spec import Driver

RESULTS_PATH = RESULTS / "ledger.json"
LARGE_ROWS = 50_000_000
LARGE_FREE_BYTES = 40 * 10**9


def main() -> None:
    run_command(_parser())


def run(given: argparse.Namespace) -> None:
    """Measure the cases one after the other; after each the results so far are kept."""
    method = QUICK if given.quick else FULL
    if given.rounds:
        method = replace(method, rounds=given.rounds)
    if given.settled_rows:
        _require_room(given.settled_rows, given.directory)
        method = replace(method, settled_rows=given.settled_rows)
    with site_below(given.directory) as site:
        latest = Run(facts(site.server, method, site.directory, "benchmarks.ledger"))
        for case in given.only or CASES:
            say(f"==> {case}")
            rows = _measured(case, site, method)
            latest = replace(latest, rows=(*latest.rows, *rows))
            if not given.quick:
                results.write(RESULTS_PATH, results.replaced(results.read(RESULTS_PATH), latest))
    print(report([latest]) if given.quick else table(latest.rows))


def profile(given: argparse.Namespace) -> None:
    """One contender for some seconds, with where its time goes. A sampler can be attached while it runs."""
    method = replace(QUICK if given.quick else FULL, warm_up_seconds=2.0, measured_seconds=given.seconds)
    keys = {"hot": HOT, "spread": spread_keys(method), "tenants": tenants_keys(method)}[given.keys]
    settings = dict(text.split("=", 1) for text in given.set)
    with site_below(given.directory) as site, quotad_world(site, keys) as database:
        name = f"{given.driver}, {given.keys}, {given.tasks} tasks"
        quotad = Quotad(
            *(site, method, database, name, keys, Driver(given.driver), given.tasks),
            settings=settings,
            is_aged=given.aged,
        )
        quotad.prepare()
        with quotad.running() as listening:
            say(f"quotad is process {listening.process.pid}")
            timed = replace(
                quotad.spec(listening), warm_up_seconds=method.warm_up_seconds, measured_seconds=given.seconds
            )
            print(line(name, load(timed)))
        print(f"rows of reservations: {reservation_rows(site, database)}")


def _measured(case: str, site: Site, method: Method) -> tuple[Row, ...]:
    """A case that does not work is a row that says so: the others are still measured."""
    try:
        return CASES[case](site, method)
    except RunFailed as failed:
        say(str(failed))
        return (Row(case, case, "", note=f"failed: {failed}"),)


def _require_room(rows: int, parent: Path | None) -> None:
    free = shutil.disk_usage(parent or tempfile.gettempdir()).free
    if rows >= LARGE_ROWS and free < LARGE_FREE_BYTES:
        raise RunFailed(
            f"{rows:,} settled reservations need {LARGE_FREE_BYTES / 10**9:.0f} GB, {free / 10**9:.0f} GB are free: "
            f"name a directory on a larger disk with --directory"
        )


def _setting(text: str) -> str:
    if "=" not in text:
        raise argparse.ArgumentTypeError("write NAME=VALUE, such as QUOTAD_DATABASE_CONNECTIONS=4")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ledger",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True)
    for name, function in (("run", run), ("profile", profile)):
        command = commands.add_parser(name, help=(function.__doc__ or "").splitlines()[0])
        command.set_defaults(command=function)
        command.add_argument("--quick", action="store_true", help="short and small: shows that everything works")
        command.add_argument("--directory", type=Path, help="where the database lies; default: the temporary directory")
        _add_options(name, command)
    add_report(commands, RESULTS_PATH, report)
    return parser


def _add_options(name: str, command: argparse.ArgumentParser) -> None:
    if name == "run":
        command.add_argument("--only", nargs="+", choices=tuple(CASES), metavar="CASE", help=", ".join(CASES))
        command.add_argument("--rounds", type=int, choices=range(1, 21), metavar="1..20", help="default: 5")
        command.add_argument("--settled-rows", type=int, help="old rows of the case `settled`")
        return
    command.add_argument("--keys", choices=("hot", "spread", "tenants"), default="hot")
    command.add_argument("--driver", choices=("client", "unary"), default="client")
    command.add_argument("--tasks", type=int, default=64)
    command.add_argument("--seconds", type=float, default=5.0)
    command.add_argument("--set", action="append", default=[], type=_setting, metavar="NAME=VALUE")
    command.add_argument("--aged", action="store_true", help="load for longer than the horizon first: the purge works")


if __name__ == "__main__":
    main()
