"""How far a test that has a short and a long form goes, and where it notes what it did."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Extent:
    """The form of one test. `--long` asks for the long one, `--report` for the notes."""

    is_long: bool
    report_path: Path | None
    test: str

    def pick(self, short: Value, long: Value) -> Value:
        return long if self.is_long else short

    def note(self, line: str) -> None:
        if self.report_path is not None:
            with self.report_path.open("a", encoding="utf-8") as report:
                report.write(f"{self.test}: {line}\n")
