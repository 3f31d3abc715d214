"""What the benchmarks' commands have in common: how they end, and the page that is made from their results."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from benchmarks.ledger import results
from benchmarks.ledger.processes import REPOSITORY, RunFailed
from benchmarks.ledger.report import table
from benchmarks.ledger.results import Run

RESULTS = REPOSITORY / "benchmarks" / "results"

Report = Callable[[Sequence[Run]], str]


def run_command(parser: argparse.ArgumentParser) -> None:
    """Do what the command line says. However it ends, what it started is stopped."""
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        given.command(given)
    except RunFailed as failed:
        sys.exit(f"benchmark: {failed}")
    except KeyboardInterrupt:
        sys.exit("benchmark: interrupted; what it started has been stopped")


def add_report(commands: argparse._SubParsersAction[argparse.ArgumentParser], path: Path, report: Report) -> None:
    """The command `report`, which writes the page beside the results at `path`."""
    page = path.with_suffix(".md")

    def make(_given: argparse.Namespace) -> None:
        runs = results.read(path)
        if not runs:
            raise RunFailed(f"there are no results in {path}")
        page.write_text(report(runs), "utf-8")
        print(page)

    commands.add_parser("report", help=f"write {page.relative_to(REPOSITORY)}").set_defaults(command=make)


def plain_report(title: str, module: str) -> Report:
    """Each run with its facts and its table."""
    head = f"# {title}\n\nMade by `python -m {module} report`; method and meaning: `benchmarks/README.md`.\n"
    return lambda runs: "\n".join((head, *(_page_of(run) for run in runs)))


def _page_of(run: Run) -> str:
    facts = "\n".join(f"- {name}: {value}" for name, value in run.facts.items())
    heading = f"## Measured on {run.facts.get('date', 'an unknown date')}"
    return "\n\n".join((heading, facts, table(run.rows))) + "\n"


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt
