"""benchmarks/README.md says what every case compares."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest

from benchmarks.ledger.cases import CASES as LEDGER_CASES
from benchmarks.proxy.cases import CASES as PROXY_CASES
from tests.support.processes import REPOSITORY

ROW = re.compile(r"^\| (`[^|]+`) \| [^|]+ \|$", re.MULTILINE)


@pytest.mark.parametrize(("part", "cases"), [("ledger", LEDGER_CASES), ("proxy", PROXY_CASES)])
def test_the_page_lists_every_case_once(part: str, cases: Iterable[str]) -> None:
    page = (REPOSITORY / "benchmarks" / "README.md").read_text("utf-8")
    table, _, _ = page.partition(f"| case of the {part} |")[2].partition("\n\n")
    listed = [name for cell in ROW.findall(table) for name in re.findall(r"`([^`]+)`", cell)]
    assert listed == list(cases)
