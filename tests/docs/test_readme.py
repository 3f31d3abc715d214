"""Every sample of the README is executed, beside a stack that stands for its `make up`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.config import ProxySettings
from servicekit.listening import Listen
from servicekit.stackfile import DEFAULT_DATA_DIR
from tests.docs.pages import README, samples
from tests.support.processes import REPOSITORY
from tests.support.stack import RunningStack, clean_environment, running_stack

UP = "make up"
SAMPLE_SECONDS_MAX = 50
DEFAULT_PROXY = f"http://{Listen.parse(ProxySettings.model_fields['listen'].default)}"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with running_stack(tmp_path_factory.mktemp("readme")) as running:
        yield running


@pytest.fixture(scope="module")
def clone(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that looks like a clone in which `make up` runs: `.venv`, and `.data` with the running stack."""
    directory = tmp_path_factory.mktemp("clone")
    (directory / ".venv").symlink_to(sys.prefix)
    (directory / DEFAULT_DATA_DIR).symlink_to(stack.data_dir)
    (directory / "bin").mkdir()
    if shutil.which("curl") is None:
        shutil.copyfile(Path(__file__).with_name("curl.py"), directory / "bin" / "curl")
        (directory / "bin" / "curl").chmod(0o755)
    return directory


def test_make_up_runs_the_whole_stack() -> None:
    dry = subprocess.run(["make", "--dry-run", "up"], cwd=REPOSITORY, check=True, capture_output=True, text=True)
    assert dry.stdout.splitlines()[-1].split()[-2:] == [".venv/bin/quotad", "up"]
    assert UP in [line for sample in samples(README, "sh") for line in sample.lines]


def test_the_python_sample_prints_an_answer(stack: RunningStack) -> None:
    """U4: with the demo key, at the address that this stack has instead of the default one."""
    (sample,) = samples(README, "python")
    assert DEFAULT_PROXY in sample.text
    program = sample.text.replace(DEFAULT_PROXY, stack.ready["proxies"][0])
    argv = [sys.executable, "-c", f"KEY = {stack.ready['demo_api_key']!r}\n{program}"]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=SAMPLE_SECONDS_MAX)
    assert done.stdout.strip()


def test_the_codex_sample_points_at_a_proxy() -> None:
    (sample,) = samples(README, "toml")
    config = tomllib.loads(sample.text)
    provider = config["model_providers"][config["model_provider"]]
    assert provider["base_url"] == f"{DEFAULT_PROXY}/v1"
    assert provider["wire_api"] == "responses"


def test_every_shell_line_works_in_order(clone: Path) -> None:
    """The first request streams to its end; the same one is then refused, and says why."""
    outputs = run_in_order([line for sample in samples(README, "sh") for line in sample.lines if line != UP], clone)
    streamed, refused = (output for line, output in outputs if line.startswith("curl "))
    assert "event: response.completed" in streamed
    assert "HTTP/1.1 429" in refused.splitlines()[0]
    assert "requests per day" in refused
    assert all(output.strip() for line, output in outputs if not line.startswith("export "))


def run_in_order(lines: list[str], directory: Path) -> list[tuple[str, str]]:
    """Run the lines in one shell, each of which must succeed; returns each with its standard output."""
    outputs = [directory / f"output-{number}" for number in range(len(lines))]
    body = "\n".join(f"{{ {line}\n}} > '{output}'" for line, output in zip(lines, outputs, strict=True))
    environment = {
        **clean_environment(),
        "PATH": f"{os.environ['PATH']}:{directory / 'bin'}",
        "OPENAI_API_KEY": "sk-of-a-test",
    }
    argv = ["bash", "-euo", "pipefail", "-c", body]
    done = subprocess.run(
        argv, cwd=directory, env=environment, check=False, stderr=subprocess.PIPE, text=True, timeout=SAMPLE_SECONDS_MAX
    )
    texts = [output.read_text("utf-8") if output.exists() else "" for output in outputs]
    assert done.returncode == 0, "\n".join([*texts, done.stderr])
    return list(zip(lines, texts, strict=True))
