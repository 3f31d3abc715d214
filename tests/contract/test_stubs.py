"""The committed stubs are what the contract generates."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PROTO = "protos/quota/v1/quota.proto"
STUBS = ("quota_pb2.py", "quota_pb2.pyi", "quota_pb2_grpc.py", "quota_pb2_grpc.pyi")


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("stubs")
    outputs = [f"--{kind}_out={directory}" for kind in ("python", "grpc_python", "mypy", "mypy_grpc")]
    plugins = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", "-I.", *outputs, PROTO],
        cwd=REPOSITORY,
        env={**os.environ, "PATH": plugins},
        check=True,
        capture_output=True,
        timeout=30,
    )
    return directory / "protos/quota/v1"


@pytest.mark.parametrize("name", STUBS)
def test_the_committed_stubs_are_what_the_contract_generates(generated: Path, name: str) -> None:
    """`make protos` was run after the last edit of the proto."""
    assert (REPOSITORY / "protos/quota/v1" / name).read_text() == (generated / name).read_text()


def test_the_contract_follows_the_rules_of_buf() -> None:
    buf = Path(sys.executable).with_name("buf")
    subprocess.run([buf, "lint"], cwd=REPOSITORY, check=True, timeout=30)
