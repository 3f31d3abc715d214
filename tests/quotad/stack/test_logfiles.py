from pathlib import Path

import pytest

from quotad.stack import logfiles
from quotad.stack.logfiles import LogFile


def test_a_log_that_has_grown_is_kept_once_and_starts_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logfiles, "BYTES_MAX", 10)
    log = LogFile(tmp_path / "proxy-1.log")
    with log.open() as output:
        output.write(b"the first lines\n")
        log.rotate()
        output.write(b"later\n")
        log.rotate()
    assert log.path.read_text() == "later\n"
    assert (tmp_path / "proxy-1.log.1").read_text() == "the first lines\n"


def test_the_end_of_a_log_is_told_in_lines(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "quotad.log")
    log.path.write_text("earlier start\n")
    offset = log.size()
    with log.path.open("a") as file:
        file.write("one\ntwo\n")
    assert log.since(offset) == ["one", "two"]
