"""`quotad doctor` beside the running stack, without a setting."""

from __future__ import annotations

import json
import subprocess

from tests.support.processes import command
from tests.support.stack import RunningStack


def test_beside_a_running_stack_nothing_is_wrong(stack: RunningStack) -> None:
    done = subprocess.run(
        [command("quotad"), "doctor", "--json"],
        env=stack.environment(),
        cwd=stack.data_dir.parent,
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )
    findings = json.loads(done.stdout)
    assert [finding for finding in findings if finding["verdict"] == "fail"] == []
    assert done.returncode == 0
    said = {finding["check"]: finding["said"] for finding in findings}
    assert said["daemon"] == f"{stack.ready['quotad']} serves"
    assert said["token of commands"] == "it may edit keys"
    assert said["durability"] == "fsync on, synchronous_commit on"
