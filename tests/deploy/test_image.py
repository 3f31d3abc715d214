"""What deploy/Dockerfile promises: lint-clean, small, without root, and made of what the repository locks."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import REPOSITORY, command

DOCKERFILE = REPOSITORY / "deploy" / "Dockerfile"
PROGRAM_SUFFIXES = {".py", ".pyi", ".sql", ".mako", ".proto", ".html", ".css", ".js", ".svg", ".woff2", ".typed"}


def instructions() -> list[tuple[str, str]]:
    """Instruction and arguments, lines joined, comments left out."""
    text = re.sub(r"^\s*#.*\n", "", DOCKERFILE.read_text("utf-8"), flags=re.MULTILINE).replace("\\\n", " ")
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in text.splitlines() if line.strip()]


def last_stage() -> list[tuple[str, str]]:
    found = instructions()
    start = max(number for number, (name, _) in enumerate(found) if name == "FROM")
    return found[start:]


def test_it_is_lint_clean() -> None:
    argv = [command("hadolint"), str(DOCKERFILE)]
    checked = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=30)
    assert checked.returncode == 0, checked.stdout


def test_base_images_are_pinned_to_a_version() -> None:
    bases = [arguments.split()[0] for name, arguments in instructions() if name == "FROM"]
    assert [re.fullmatch(r"[a-z]+:\d+(\.\d+)?-[a-z-]+", base) is not None for base in bases] == [True] * 3


def test_the_image_runs_as_a_fixed_user_without_root() -> None:
    assert dict(last_stage())["USER"] == "10001:10001"


def test_the_last_stage_installs_nothing_and_knows_no_secret() -> None:
    stage = last_stage()
    commands = " ".join(arguments for name, arguments in stage if name == "RUN")
    assert not re.search(r"\b(apt-get|apk|pip|npm|curl)\b", commands)
    assert [arguments.split()[0] for name, arguments in stage if name == "COPY"] == ["--from=packages"]
    assert not re.search(r"TOKEN|PASSWORD|SECRET|DATABASE_URL", " ".join(arguments for _, arguments in stage))


def test_a_stop_reaches_the_services_as_their_ordered_stop() -> None:
    assert dict(last_stage())["STOPSIGNAL"] == "SIGTERM"


def test_packages_are_installed_by_hash_and_never_compiled() -> None:
    environment = " ".join(arguments for name, arguments in instructions() if name == "ENV")
    installs = re.findall(r"pip (?:--python \S+ )?install ([^&]+)", DOCKERFILE.read_text("utf-8"))
    assert "PIP_ONLY_BINARY=:all:" in environment
    assert [arguments.split()[0] for arguments in installs] == ["--require-hashes", "--require-hashes", "--no-deps"]


def test_what_is_copied_reaches_the_build() -> None:
    """The build's context is a list of what may enter it."""
    ignored = (REPOSITORY / ".dockerignore").read_text("utf-8").splitlines()
    allowed = {line[1:] for line in ignored if line.startswith("!")}
    copied = {
        source.removesuffix("/")
        for name, arguments in instructions()
        if name == "COPY" and not arguments.startswith("--from")
        for source in arguments.split()[:-1]
    }
    assert "*" in ignored
    assert {source for source in copied if not any(_covers(rule, source) for rule in allowed)} == set()


def test_the_locks_for_building_and_running_agree() -> None:
    build, stack = _locked("build"), _locked("stack")
    assert build.items() <= stack.items()
    wanted = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["dependency-groups"]["build"]
    assert {re.split(r"[<>=]", line)[0] for line in wanted} <= set(build)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    directory = tmp_path_factory.mktemp("wheel")
    argv = [command("hatchling"), "build", "-t", "wheel", "-d", str(directory)]
    subprocess.run(argv, cwd=REPOSITORY, check=True, capture_output=True, timeout=50)
    with zipfile.ZipFile(next(directory.glob("*.whl"))) as opened:
        yield opened


def test_the_wheel_has_what_the_services_read_at_run_time(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    for needed in (
        "quotad/migrations/env.py",
        "quotad/store/functions/apply_v1.sql",
        "proxy/migrations/env.py",
        "dashboard/migrations/env.py",
        "dashboard/web/dist/index.html",
        "protos/quota/v1/quota_pb2.py",
    ):
        assert needed in names


def test_the_wheel_has_nothing_but_the_program(wheel: zipfile.ZipFile) -> None:
    packaged = [Path(name) for name in wheel.namelist() if ".dist-info/" not in name]
    assert {path.parts[0] for path in packaged} == {"protos", "quotad", "proxy", "dashboard", "servicekit"}
    assert {path for path in packaged if path.suffix not in PROGRAM_SUFFIXES} == set()
    assert not any("node_modules" in path.parts for path in packaged)


@pytest.mark.parametrize("folder", ["dashboard/web", "tests/browser", "tests/clients", "docs/examples/node"])
def test_npm_locks_name_every_package_that_they_need(folder: str) -> None:
    """`npm ci` refuses a lock without an entry for a package of another platform."""
    packages = json.loads((REPOSITORY / folder / "package-lock.json").read_text("utf-8"))["packages"]
    names = {path.rsplit("node_modules/", 1)[-1] for path in packages}
    needed = {
        name
        for package in packages.values()
        for kind in ("dependencies", "devDependencies", "optionalDependencies")
        for name in package.get(kind, {})
    }
    assert needed - names == set()


def _covers(rule: str, source: str) -> bool:
    return source == rule or source.startswith(f"{rule}/") or rule.startswith(f"{source}/")


def _locked(name: str) -> dict[str, str]:
    text = (REPOSITORY / "requirements" / f"{name}.lock").read_text("utf-8")
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", text, flags=re.MULTILINE))
