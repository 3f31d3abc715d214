from __future__ import annotations

from pathlib import Path

from quotad.doctor.findings import Verdict
from quotad.doctor.machine import GIB, directory_finding, disk_finding, port_finding
from quotad.stack.ports import free_listen
from tests.support.commands import taken_address


def test_a_free_port_and_any_port_are_well() -> None:
    assert port_finding("QUOTAD_LISTEN", str(free_listen()), is_serving=False).verdict is Verdict.OK
    assert port_finding("QUOTAD_LISTEN", "127.0.0.1:0", is_serving=False).verdict is Verdict.OK


def test_a_taken_port_fails_unless_a_daemon_answers() -> None:
    with taken_address() as address:
        taken = port_finding("QUOTAD_LISTEN", address, is_serving=False)
        assert taken.verdict is Verdict.FAIL
        assert address in taken.said
        assert "process" in taken.said
        assert port_finding("QUOTAD_LISTEN", address, is_serving=True).verdict is Verdict.OK


def test_a_disk_is_judged_by_what_is_free(tmp_path: Path) -> None:
    judged = [disk_finding(tmp_path, free).verdict for free in (100 * GIB, GIB, GIB // 8)]
    assert judged == [Verdict.OK, Verdict.WARN, Verdict.FAIL]


def test_no_data_directory_is_no_fault(tmp_path: Path) -> None:
    assert directory_finding(tmp_path / "nowhere").said.startswith("no data directory")
    assert directory_finding(tmp_path).check == "disk"
