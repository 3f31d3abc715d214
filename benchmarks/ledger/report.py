"""The results as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.ledger.results import Figure, Goal, Row, Run, Summary
from benchmarks.ledger.spec import Latency

TITLE = """# The ledger, measured

Made by `python -m benchmarks.ledger report`; method and meaning: `benchmarks/README.md`.
"""


def report(runs: Sequence[Run]) -> str:
    """Each run with its facts, its table of goals and what every contender reached."""
    return "\n".join([TITLE, *(_run(run) for run in runs)])


def table(rows: Iterable[Row]) -> str:
    lines = ["| measure | goal | measured | holds |", "|---|---|---|---|"]
    return "\n".join((*lines, *(_line(row) for row in rows)))


def _run(run: Run) -> str:
    facts = "\n".join(f"- {name}: {value}" for name, value in run.facts.items())
    heading = f"## Measured on {run.facts.get('date', 'an unknown date')}"
    return "\n\n".join((heading, facts, table(run.rows), "### Every contender", _contenders(run.rows))) + "\n"


def _line(row: Row) -> str:
    holds = {True: "yes", False: "**no**", None: ""}[row.is_met]
    note = f" ({row.note})" if row.note else ""
    value = "not measured" if row.value is None else _figure(row.value, row.unit)
    return f"| {row.measure} | {_goal(row.goal)} | {value}{_cell(note)} | {holds} |"


def _contenders(rows: Iterable[Row]) -> str:
    lines = [
        "Latencies are p50 / p99 in ms, medians of the rounds; CPU is microseconds per pair.",
        "",
        "| case | contender | pairs/s | calls/s | Reserve | Finalize | CPU | errors |",
        "|---|---|---|---|---|---|---|---|",
    ]
    seen = {(row.case, summary.contender): summary for row in rows for summary in row.contenders}
    return "\n".join((*lines, *(_summary(case, summary) for (case, _), summary in seen.items())))


def _summary(case: str, summary: Summary) -> str:
    cpu = ", ".join(f"{process} {value:.0f}" for process, value in summary.cpu_microseconds_per_pair.items())
    errors = f"{summary.errors}: {_cell(summary.first_error)}" if summary.errors else ""
    cells = (
        case,
        summary.contender,
        _figure(summary.pairs_per_second),
        _figure(summary.operations_per_second),
        _latency(summary.reserve),
        _latency(summary.finalize),
        cpu,
        errors,
    )
    return f"| {' | '.join(cells)} |"


def _goal(goal: Goal | None) -> str:
    if goal is None:
        return ""
    return f"{'at least' if goal.is_minimum else 'at most'} {goal.value:g} {goal.unit}"


def _figure(figure: Figure, unit: str = "") -> str:
    shown = f"{_number(figure.median)} {unit}".strip()
    return shown if figure.min == figure.max else f"{shown} [{_number(figure.min)} to {_number(figure.max)}]"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _latency(latency: Latency | None) -> str:
    return "" if latency is None else f"{_number(latency.p50)} / {_number(latency.p99)}"


def _cell(text: str) -> str:
    return text.replace("|", "/").replace("\n", " ")
