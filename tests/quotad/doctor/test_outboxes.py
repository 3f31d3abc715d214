from __future__ import annotations

from pathlib import Path

import pytest

from quotad.doctor.findings import Verdict
from quotad.doctor.outboxes import DAY_SECONDS, outbox_findings
from servicekit.journal import Done, Entry, encode, segment_path

NOW = 1_800_000_000.0


def left(root: Path, *lines: Entry | Done) -> None:
    directory = root / "0199c000-0000-7000-8000-000000000000"
    directory.mkdir(parents=True)
    segment_path(directory, 1).write_bytes(b"".join(map(encode, lines)) + b"torn")


def test_no_outbox_and_an_empty_one_are_well(tmp_path: Path) -> None:
    left(tmp_path / "empty", Entry("a", NOW, {}), Done("a"))
    for root in (tmp_path / "nowhere", tmp_path / "empty"):
        assert [finding.verdict for finding in outbox_findings(root, NOW)] == [Verdict.OK]


@pytest.mark.parametrize(
    ("seconds", "verdict", "said"),
    [(30, Verdict.WARN, "30 seconds"), (600, Verdict.WARN, "10 minutes"), (5.5 * DAY_SECONDS, Verdict.FAIL, "6 days")],
)
def test_what_waits_is_counted_with_the_age_of_the_oldest(
    tmp_path: Path, seconds: float, verdict: Verdict, said: str
) -> None:
    """B5"""
    left(tmp_path, Entry("a", NOW - seconds, {}), Entry("b", NOW, {}), Entry("c", 1.0, {}), Done("c"))
    [finding] = outbox_findings(tmp_path, NOW)
    assert finding.verdict is verdict
    assert finding.said.startswith("2 settlements")
    assert finding.said.endswith(said)


def test_what_was_set_aside_fails_until_the_operator_has_seen_to_it(tmp_path: Path) -> None:
    """B5"""
    aside = tmp_path / "set-aside"
    aside.mkdir()
    (aside / "w.jsonl").write_text("{}\n{}\n")
    (aside / "w.corrupt").write_text("x\n")
    _, settlements, lines = outbox_findings(tmp_path, NOW)
    assert settlements.verdict is lines.verdict is Verdict.FAIL
    assert settlements.said.startswith("2 settlements")
    assert str(aside) in settlements.advice


def test_an_outbox_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    directory = tmp_path / "w"
    segment_path(directory, 1).parent.mkdir()
    (tmp_path / "set-aside").mkdir()
    (tmp_path / "set-aside" / "w.jsonl").mkdir()
    [finding] = outbox_findings(tmp_path, NOW)
    assert finding.verdict is Verdict.WARN
    assert "cannot be read" in finding.said
