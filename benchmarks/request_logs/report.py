"""The results as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.ledger.report import table
from benchmarks.ledger.results import Run

TITLE = """# The request log, measured

Made by `python -m benchmarks.request_logs report`; method and meaning: `benchmarks/README.md`.
"""


def report(runs: Sequence[Run]) -> str:
    """Each run with its facts and its table."""
    return "\n".join([TITLE, *(_run(run) for run in runs)])


def _run(run: Run) -> str:
    facts = "\n".join(f"- {name}: {value}" for name, value in run.facts.items())
    heading = f"## Measured on {run.facts.get('date', 'an unknown date')}"
    return "\n\n".join((heading, facts, table(run.rows))) + "\n"
