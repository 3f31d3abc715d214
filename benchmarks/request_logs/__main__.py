"""The command.

python -m benchmarks.request_logs run [--quick] [--rows N] [--rounds N] [--directory DIR]
python -m benchmarks.request_logs report
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.command import RESULTS, add_report, plain_report, run_command
from benchmarks.ledger import results
from benchmarks.ledger.cluster import postgres
from benchmarks.ledger.machine import facts
from benchmarks.ledger.processes import RunFailed
from benchmarks.ledger.report import table
from benchmarks.ledger.results import Run
from benchmarks.ledger.rounds import say
from benchmarks.request_logs.measuring import measured
from benchmarks.request_logs.method import FREE_BYTES_PER_ROW, FULL, QUICK, Method
from benchmarks.request_logs.seeding import fill
from servicekit.migrations import Migrations, migrate

RESULTS_PATH = RESULTS / "request_logs.json"


def main() -> None:
    run_command(_parser())


def run(given: argparse.Namespace) -> None:
    """Fill a log and ask it; the latest results are kept."""
    method = QUICK if given.quick else FULL
    chosen = {name: value for name in ("rows", "rounds") if (value := getattr(given, name))}
    method = replace(method, **chosen)
    _require_room(method, given.directory)
    directory = Path(tempfile.mkdtemp(prefix="quota-bench-", dir=given.directory))
    try:
        latest = _measured(directory, method)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    if not given.quick:
        results.write(RESULTS_PATH, [latest])
    print(table(latest.rows))


def _measured(directory: Path, method: Method) -> Run:
    now = datetime.now(UTC)
    with postgres(directory) as server, server.database() as database:
        about = facts(server, method, directory, "benchmarks.request_logs")
        asyncio.run(migrate(server.url(database), Migrations("proxy")))
        say(f"==> filling a log with {method.rows:,} rows")
        server.run(database, lambda connection: fill(connection, method, now))
        server.checkpoint()
        size = server.run("postgres", lambda connection: connection.fetchval("SELECT pg_database_size($1)", database))
        about["size of the database"] = f"{size / 2**30:.1f} GiB"
        return Run(about, asyncio.run(measured(server.url(database), method, now)))


def _require_room(method: Method, parent: Path | None) -> None:
    needed, free = method.rows * FREE_BYTES_PER_ROW, shutil.disk_usage(parent or tempfile.gettempdir()).free
    if free < needed:
        raise RunFailed(f"{method.rows:,} rows need {needed / 10**9:.0f} GB, {free / 10**9:.0f} GB are free")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.request_logs",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("run", help=(run.__doc__ or "").splitlines()[0])
    command.set_defaults(command=run)
    command.add_argument("--quick", action="store_true", help="small: shows that everything works")
    command.add_argument("--rows", type=int, help="default: ten million")
    command.add_argument("--rounds", type=int, choices=range(1, 101), metavar="1..100", help="default: 20")
    command.add_argument("--directory", type=Path, help="where the database lies; default: the temporary directory")
    add_report(commands, RESULTS_PATH, plain_report("The request log, measured", "benchmarks.request_logs"))
    return parser


if __name__ == "__main__":
    main()
