"""What proxies have written down on this machine, and not delivered yet."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from quotad.doctor.findings import Finding, fail, ok, warn
from servicekit.journal import Entry, open_entries, read_segment, segment_paths
from servicekit.stackfile import data_dir

DAY_SECONDS = 24 * 3600.0
OLD_SECONDS = 5 * DAY_SECONDS
"""Proxies give a settlement up after six days, since the ledger forgets after seven."""
SET_ASIDE = "set-aside"


class OutboxSettings(BaseSettings):
    """Where the proxies of this machine keep theirs."""

    model_config = SettingsConfigDict(env_prefix="PROXY_", env_file=".env", extra="ignore", frozen=True)

    outbox_dir: Path = Field(default_factory=lambda: data_dir() / "outbox")


def outbox_findings(root: Path, now: float | None = None) -> Iterator[Finding]:
    """Every outbox below `root`, whether its worker lives or not."""
    try:
        entries = [entry for directory in _directories(root) for entry in _open(directory).values()]
        set_aside, corrupt = _lines(root, "jsonl"), _lines(root, "corrupt")
    except OSError as exc:
        yield warn("outboxes", f"{exc.filename} cannot be read: {exc.strerror}", "run this as the user of the proxies")
        return
    seconds = (time.time() if now is None else now) - min((entry.time for entry in entries), default=0.0)
    yield waiting_finding(root, len(entries), seconds)
    if set_aside:
        advice = f"see {root / SET_ASIDE}: charge or forgive each line, then delete its file"
        yield fail("set aside", f"{set_aside:,} settlements were refused by the ledger for good", advice)
    if corrupt:
        advice = f"see that the disk is sound, and {root / SET_ASIDE} for what was lost"
        yield fail("corrupt lines", f"{corrupt:,} lines of outboxes could not be read", advice)


def waiting_finding(root: Path, entries: int, oldest_seconds: float) -> Finding:
    if not entries:
        return ok("outboxes", f"no settlement waits in {root}")
    said = f"{entries:,} settlements or requests under way in {root}, the oldest for {_age(oldest_seconds)}"
    if oldest_seconds > OLD_SECONDS:
        return fail("outboxes", said, "bring a proxy and quotad together today: after six days it is set aside")
    return warn("outboxes", said, "see that proxies run on this directory and reach quotad, and keep it until then")


def _directories(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir() and path.name != SET_ASIDE) if root.is_dir() else []


def _open(directory: Path) -> dict[str, Entry]:
    return open_entries(read_segment(path.read_bytes()) for path in segment_paths(directory))


def _lines(root: Path, suffix: str) -> int:
    return sum(path.read_bytes().count(b"\n") for path in (root / SET_ASIDE).glob(f"*.{suffix}"))


def _age(seconds: float) -> str:
    for unit, size in (("days", DAY_SECONDS), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} seconds"
