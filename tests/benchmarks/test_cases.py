"""benchmarks/README.md says what every case compares."""

from __future__ import annotations

import re

from benchmarks.ledger.cases import CASES
from tests.support.processes import REPOSITORY

ROW = re.compile(r"^\| (`[^|]+`) \| [^|]+ \|$", re.MULTILINE)


def test_the_page_lists_every_case_once() -> None:
    page = (REPOSITORY / "benchmarks" / "README.md").read_text("utf-8")
    listed = [name for cell in ROW.findall(page) for name in re.findall(r"`([^`]+)`", cell)]
    assert listed == list(CASES)
