"""What to start: a command with everything that the kernel needs to know about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict


@dataclass(frozen=True, slots=True)
class Identity:
    """A user and a group by number."""

    uid: int
    gid: int


class SpawnArguments(TypedDict, total=False):
    """Keyword arguments that `subprocess.Popen` and `asyncio.create_subprocess_exec` share."""

    env: Mapping[str, str]
    cwd: Path
    pass_fds: tuple[int, ...]
    start_new_session: bool
    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class Command:
    """One program to run, in a session and process group of its own; settings travel in `env` alone."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    cwd: Path = Path("/")
    pass_fds: tuple[int, ...] = ()
    identity: Identity | None = None
    """Run as this user, without the starter's other groups; None: as the starter."""

    def spawn_arguments(self) -> SpawnArguments:
        arguments = SpawnArguments(env=self.env, cwd=self.cwd, pass_fds=self.pass_fds, start_new_session=True)
        if self.identity is not None:
            arguments["user"] = self.identity.uid
            arguments["group"] = self.identity.gid
            arguments["extra_groups"] = []
        return arguments
