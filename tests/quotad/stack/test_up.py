"""`quotad up` for real: what it starts, how it ends, and what it says where it cannot."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from quotad.cli import app
from quotad.stack.errors import StackError
from quotad.stack.settings import Options
from quotad.stack.up import up
from tests.support.processes import RunningProcess, command, start_process
from tests.support.stack import RunningStack, clean_environment, free_port_base, running_stack
from tests.support.waiting import eventually_now

PARTS = {"postgres", "quotad", "proxy-1", "proxy-2", "dashboard", "demo-upstream"}


def children(stack: RunningStack) -> dict[str, int]:
    """The services' process ids by name, as the pid file has them."""
    entries = json.loads((stack.data_dir / "children.json").read_text())
    return {entry["name"]: entry["pid"] for entry in entries if entry["name"] in PARTS}


def up_in(data_dir: Path, log: Path, *flags: str, **environment: str) -> RunningProcess:
    argv = [command("quotad"), "up", "--data-dir", str(data_dir), *flags]
    return start_process(argv, log, env={**clean_environment(), **environment})


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_one_command_starts_everything_and_one_signal_stops_it_in_order(tmp_path: Path) -> None:
    with running_stack(tmp_path) as stack:
        parts = children(stack)
        assert set(parts) == PARTS
        check_files(stack, tmp_path)
        check_processes(stack, {name: psutil.Process(pid) for name, pid in parts.items()})
        check_refusal_of_a_second_one(stack, tmp_path)
        os.killpg(stack.process.pid, signal.SIGINT)
        assert stack.process.wait(30.0) == 0
    said = [line for line in stack.process.output.splitlines() if line.startswith("==> stop")]
    stopped = ["stopping " + part for part in ("proxy-1, proxy-2", "dashboard", "demo-upstream", "quotad", "postgres")]
    assert said == [f"==> {line}" for line in [*stopped, "stopped"]]
    assert all(map(gone, parts.values()))
    assert not (stack.data_dir / "children.json").exists()
    assert not (tmp_path / "ready.json").exists()


def check_files(stack: RunningStack, directory: Path) -> None:
    assert json.loads((stack.data_dir / "stack.json").read_text()) == stack.ready
    for path in (stack.data_dir / "stack.json", directory / "ready.json"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stack.ready["demo_api_key"] in stack.process.output
    (token,) = re.findall(r"dashboard bootstrap token: (\S+)", stack.process.output)
    assert token not in (stack.data_dir / "logs" / "dashboard.log").read_text("utf-8")


def check_processes(stack: RunningStack, parts: dict[str, psutil.Process]) -> None:
    """Secrets never stand where every user of the machine can read them; groups are the children's own."""
    assert parts["postgres"].uids().real != 0
    secrets = ("quotad_data_token", "quotad_admin_token", "postgres_password", "demo_api_key")
    for process in (psutil.Process(stack.process.pid), *parts.values()):
        assert not any(stack.ready[name] in " ".join(process.cmdline()) for name in secrets)  # type: ignore[literal-required]
    assert all(os.getpgid(process.pid) == process.pid for process in parts.values())


def check_refusal_of_a_second_one(stack: RunningStack, directory: Path) -> None:
    second = up_in(stack.data_dir, directory / "second.log")
    assert second.wait(20.0) == 1
    assert second.output.splitlines() == [
        f"quotad: the data directory {stack.data_dir} is in use by another `quotad up` (process {stack.process.pid}): "
        "stop that one, or choose another directory with --data-dir"
    ]


@pytest.mark.timeout(180)  # two whole starts
def test_what_dies_comes_back_and_what_a_killed_up_left_is_ended_by_the_next(tmp_path: Path) -> None:
    with running_stack(tmp_path) as first:
        old = children(first)
        os.kill(old["proxy-1"], signal.SIGKILL)
        eventually_now(lambda: children(first)["proxy-1"] != old["proxy-1"], 20.0)
        old = children(first)
        first.process.signal(signal.SIGKILL)
        first.process.wait()
    assert not any(map(gone, old.values()))
    since = time.monotonic()
    with running_stack(tmp_path / "again", data_dir=first.data_dir) as second:
        ready_seconds = time.monotonic() - since
        assert (
            "ending what an earlier run has left: dashboard, demo-upstream, postgres, proxy-1" in second.process.output
        )
        assert all(map(gone, old.values()))
        assert second.ready["demo_api_key"] == first.ready["demo_api_key"]
        new = children(second)
        second.process.signal(signal.SIGTERM)
        second.process.wait_for_output("stopping proxy-1")
        second.process.signal(signal.SIGTERM)
        assert second.process.wait(15.0) == 0
        assert all(map(gone, new.values()))
    assert ready_seconds < 30.0


@pytest.mark.parametrize(
    ("options", "environment", "words"),
    [
        (Options(Path("data"), port_base=65_534), {}, "choose a lower one"),
        (Options(Path("/dev/null/data")), {}, "/dev/null/data cannot be used: Not a directory"),
        (Options(Path("data"), ready_file=Path("/nowhere/it")), {}, "the ready file /nowhere/it cannot be written"),
        (Options(Path("data")), {"QUOTAD_DATABASE_URL": "mysql://u:hidden@h/d"}, "must start with postgresql://"),
        (Options(Path("data")), {"QUOTAD_DATABASE_URL": "postgresql://u:hidden@127.0.0.1:1/d"}, ":1/d cannot be used"),
        (Options(Path("data")), {"QUOTAD_BOOTSTRAP_DATA_TOKEN": "short"}, "QUOTAD_BOOTSTRAP_DATA_TOKEN: a token has"),
    ],
)
def test_what_cannot_work_is_one_line_and_leaves_nothing_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: Options, environment: dict[str, str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    said: list[str] = []
    with pytest.raises(StackError) as failure:
        up(replace(options, port_base=options.port_base or free_port_base()), said.append)
    assert words in str(failure.value)
    assert "\n" not in str(failure.value)
    assert "hidden" not in " ".join((*said, str(failure.value)))
    assert {process.pid for process in psutil.Process().children(recursive=True)} <= before


def test_a_port_in_use_is_one_line_with_its_holder(tmp_path: Path) -> None:
    base = free_port_base()
    holder = re.escape(f"{psutil.Process().name()} (process {os.getpid()})")
    said: list[str] = []
    with (
        socket.create_server(("127.0.0.1", base + 3)),
        pytest.raises(StackError, match=rf"^port {base + 3} is in use by {holder}: stop it, or move every port"),
    ):
        up(Options(tmp_path, port_base=base), said.append)
    assert not said


@pytest.mark.parametrize("flags", [("--proxies", "0"), ("--no-such-flag", "1"), ("--port-base", "70000")])
def test_a_wrong_flag_is_named_with_exit_code_2(tmp_path: Path, flags: tuple[str, str]) -> None:
    result = CliRunner().invoke(app, ["up", "--data-dir", str(tmp_path / "data"), *flags])
    assert result.exit_code == 2
    assert flags[0] in result.output
    assert not (tmp_path / "data").exists()


def test_a_stop_in_the_middle_of_the_start_leaves_nothing_running(tmp_path: Path) -> None:
    process = up_in(tmp_path / "data", tmp_path / "log", "--port-base", str(free_port_base()))
    process.wait_for_output("==> starting quotad")
    process.signal(signal.SIGTERM)
    assert process.wait(30.0) == 0
    shown = subprocess.run(["ps", "-eo", "args"], check=True, capture_output=True, text=True).stdout
    assert str(tmp_path) not in shown
