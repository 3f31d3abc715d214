from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

from quotad.stack import leftovers
from quotad.stack.leftovers import PidFile

SLEEPS = (sys.executable, "-c", "import signal; signal.pause()")


def start() -> subprocess.Popen[bytes]:
    process = subprocess.Popen(SLEEPS, start_new_session=True)
    threading.Thread(target=process.wait, daemon=True).start()  # as init would, once `up` is gone
    return process


def test_the_processes_of_a_killed_run_are_found_and_ended(tmp_path: Path) -> None:
    process = start()
    PidFile(tmp_path / "children.json").note("proxy-1", process.pid)
    found = leftovers.living(tmp_path / "children.json")
    assert [(name, each.pid) for name, each in found.items()] == [("proxy-1", process.pid)]
    leftovers.end(found, ("proxy",), {"proxy-1": signal.SIGINT})
    assert not leftovers.living(tmp_path / "children.json")


def test_another_process_under_the_same_id_is_left_alone(tmp_path: Path) -> None:
    process = start()
    try:
        pid_file = tmp_path / "children.json"
        PidFile(pid_file).note("proxy-1", process.pid)
        (entry,) = json.loads(pid_file.read_text())
        pid_file.write_text(json.dumps([{**entry, "create_time": entry["create_time"] - 100}]))
        assert leftovers.living(pid_file) == {}
    finally:
        process.kill()


def test_a_missing_or_damaged_pid_file_names_nobody(tmp_path: Path) -> None:
    assert leftovers.living(tmp_path / "none.json") == {}
    (tmp_path / "children.json").write_text('[{"name":')
    assert leftovers.living(tmp_path / "children.json") == {}
