"""The table says what was measured, and whether it is what it should be."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.ledger import results
from benchmarks.ledger.pgbench import pairs_per_second
from benchmarks.ledger.processes import RunFailed
from benchmarks.ledger.report import report
from benchmarks.ledger.results import Figure, Goal, Row, Run
from benchmarks.ledger.rounds import ratio, summaries, take_turns
from benchmarks.ledger.spec import Latency, LoadResult

AT_LEAST_TEN = Goal(is_minimum=True, value=10, unit="times")


class Recorded:
    """A contender that notes its turns and does as much in each as it is told."""

    def __init__(self, name: str, turns: list[str], pairs: list[int]) -> None:
        self.name = name
        self._turns = turns
        self._pairs = pairs

    def prepare(self) -> None:
        self._turns.append(f"prepare {self.name}")

    def measure(self) -> LoadResult:
        self._turns.append(self.name)
        pairs = self._pairs.pop(0)
        latency = Latency(1.0, 2.0, float(pairs))
        return LoadResult(1.0, pairs=pairs, reserve=latency, cpu_seconds={"server": pairs / 1_000_000})


def test_contenders_take_turns() -> None:
    turns: list[str] = []
    take_turns((Recorded("A", turns, [1, 1]), Recorded("B", turns, [1, 1])), 2)
    assert turns == ["prepare A", "prepare B", "A", "B", "A", "B"]


def test_a_ratio_is_of_the_same_round_and_told_with_its_range() -> None:
    turns: list[str] = []
    measured = take_turns((Recorded("A", turns, [10, 40, 90]), Recorded("B", turns, [10, 20, 30])), 3)
    assert ratio(measured, "A", "B") == Figure(median=2.0, min=1.0, max=3.0)


def test_a_contender_that_does_nothing_fails_the_case() -> None:
    measured = take_turns((Recorded("A", [], [1]), Recorded("B", [], [0])), 1)
    with pytest.raises(RunFailed, match="B did nothing"):
        ratio(measured, "A", "B")


def test_a_row_says_whether_its_goal_holds() -> None:
    missed = Row("case", "a measure", "times", Figure(9.5, 9, 11), AT_LEAST_TEN)
    held = Row("case", "another", "times", Figure(10.5, 9, 11), AT_LEAST_TEN)
    text = report([Run({"date": "today"}, (missed, held, Row("case", "a third", "times", note="skipped")))])
    assert "| a measure | at least 10 times | 9.5 times [9 to 11] | **no** |" in text
    assert "| another | at least 10 times | 10.5 times [9 to 11] | yes |" in text
    assert "| a third |  | not measured (skipped) |  |" in text


def test_results_come_back_from_their_file(tmp_path: Path) -> None:
    measured = take_turns((Recorded("A", [], [5]),), 1)
    row = Row("case", "a measure", "times", Figure(1, 1, 1), AT_LEAST_TEN, summaries(measured), "a note")
    path = tmp_path / "results" / "ledger.json"
    results.write(path, [Run({"date": "today"}, (row,))])
    assert results.read(path) == [Run({"date": "today"}, (row,))]


def test_a_case_that_is_measured_again_replaces_its_older_rows() -> None:
    older = Run({"date": "yesterday"}, (Row("a", "", ""), Row("b", "", "")))
    latest = Run({"date": "today"}, (Row("b", "", ""),))
    assert results.replaced([older], latest) == [latest, Run({"date": "yesterday"}, (Row("a", "", ""),))]


def test_pgbench_tells_its_rate() -> None:
    assert pairs_per_second("latency = 1 ms\ntps = 1234.5 (without initial connection time)\n") == 1234.5
    with pytest.raises(RunFailed):
        pairs_per_second("nothing")
