"""The command.

python -m benchmarks.proxy run [--quick] [--only CASE ...] [--rounds N] [--directory DIR]
python -m benchmarks.proxy report
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from benchmarks.command import RESULTS, add_report, plain_report, run_command
from benchmarks.ledger import results
from benchmarks.ledger.daemons import site_below
from benchmarks.ledger.machine import facts
from benchmarks.ledger.processes import RunFailed
from benchmarks.ledger.report import table
from benchmarks.ledger.results import Row, Run
from benchmarks.ledger.rounds import say
from benchmarks.proxy.cases import CASES
from benchmarks.proxy.method import FULL, QUICK, Method
from benchmarks.proxy.world import World, proxy_world

RESULTS_PATH = RESULTS / "proxy.json"


def main() -> None:
    run_command(_parser())


def run(given: argparse.Namespace) -> None:
    """Measure the cases one after the other; after each the results so far are kept."""
    method = QUICK if given.quick else FULL
    if given.rounds:
        method = replace(method, rounds=given.rounds)
    with site_below(given.directory) as site, proxy_world(site) as world:
        latest = Run(facts(site.server, method, site.directory, "benchmarks.proxy"))
        for case in given.only or CASES:
            say(f"==> {case}")
            latest = replace(latest, rows=(*latest.rows, *_measured(case, world, method)))
            if not given.quick:
                results.write(RESULTS_PATH, results.replaced(results.read(RESULTS_PATH), latest))
    print(table(latest.rows))


def _measured(case: str, world: World, method: Method) -> tuple[Row, ...]:
    """A case that does not work is a row that says so: the others are still measured."""
    try:
        return CASES[case](world, method)
    except RunFailed as failed:
        say(str(failed))
        return (Row(case, case, "", note=f"failed: {failed}"),)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.proxy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("run", help="measure the cases")
    command.set_defaults(command=run)
    command.add_argument("--quick", action="store_true", help="short and small: shows that everything works")
    command.add_argument("--directory", type=Path, help="where the database lies; default: the temporary directory")
    command.add_argument("--only", nargs="+", choices=tuple(CASES), metavar="CASE", help=", ".join(CASES))
    command.add_argument("--rounds", type=int, choices=range(1, 21), metavar="1..20", help="default: 5")
    add_report(commands, RESULTS_PATH, plain_report("The proxy, measured", "benchmarks.proxy"))
    return parser


if __name__ == "__main__":
    main()
