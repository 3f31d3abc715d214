"""What a run found, as values and as the JSON file that the report is made from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from benchmarks.ledger.spec import Latency


@dataclass(frozen=True, slots=True)
class Figure:
    """The median of the rounds, with the smallest and the largest."""

    median: float
    min: float
    max: float


@dataclass(frozen=True, slots=True)
class Goal:
    """What a value should be: at least or at most `value`, in `unit`."""

    is_minimum: bool
    value: float
    unit: str

    def is_met_by(self, value: float) -> bool:
        return value >= self.value if self.is_minimum else value <= self.value


@dataclass(frozen=True, slots=True)
class Summary:
    """One contender over all rounds of a case."""

    contender: str
    pairs_per_second: Figure
    operations_per_second: Figure
    reserve: Latency | None
    finalize: Latency | None
    cpu_microseconds_per_pair: Mapping[str, float]
    errors: int = 0
    first_error: str = ""

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Self:
        latencies = {name: values[name] and Latency(**values[name]) for name in ("reserve", "finalize")}
        figures = {name: Figure(**values[name]) for name in ("pairs_per_second", "operations_per_second")}
        return cls(**{**values, **latencies, **figures})


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; without a value it was skipped, and the note says why."""

    case: str
    measure: str
    unit: str
    value: Figure | None = None
    goal: Goal | None = None
    contenders: tuple[Summary, ...] = ()
    note: str = ""

    @property
    def is_met(self) -> bool | None:
        """None where there is no goal, or nothing was measured."""
        if self.goal is None or self.value is None:
            return None
        return self.goal.is_met_by(self.value.median)

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Self:
        read = {
            "value": values["value"] and Figure(**values["value"]),
            "goal": values["goal"] and Goal(**values["goal"]),
            "contenders": tuple(Summary.read(summary) for summary in values["contenders"]),
        }
        return cls(**{**values, **read})


@dataclass(frozen=True, slots=True)
class Run:
    """The cases that one command measured."""

    facts: Mapping[str, str]
    """Machine, versions, settings, command and date."""
    rows: tuple[Row, ...] = field(default=())

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Self:
        return cls(values["facts"], tuple(Row.read(row) for row in values["rows"]))


def write(path: Path, runs: Sequence[Run]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(run) for run in runs], indent=1) + "\n", "utf-8")


def read(path: Path) -> list[Run]:
    """The runs of a file; none where there is no file."""
    if not path.exists():
        return []
    return [Run.read(values) for values in json.loads(path.read_text("utf-8"))]


def replaced(runs: Sequence[Run], latest: Run) -> list[Run]:
    """The runs with the latest in front, and without older rows of the cases that it measured again."""
    cases = {row.case for row in latest.rows}
    older = [Run(run.facts, tuple(row for row in run.rows if row.case not in cases)) for run in runs]
    return [latest, *(run for run in older if run.rows)]
