"""What this machine says: ports and disk."""

from __future__ import annotations

import shutil
from pathlib import Path

from quotad.doctor.findings import Finding, fail, ok, warn
from quotad.stack.ports import holder
from servicekit.listening import Listen, ListenRefused, bind

GIB = 1024**3
DISK_BYTES_WARN = 2 * GIB
DISK_BYTES_FAIL = GIB // 4
"""Postgres stops when it cannot write its log."""


def port_finding(setting: str, value: str, *, is_serving: bool) -> Finding:
    """Whether a daemon can listen there, or does: `is_serving` says that one answers on this machine."""
    listen, check = Listen.parse(value), f"port {setting}"
    if listen.port == 0:
        return ok(check, "any free one")
    try:
        bind(listen, setting=setting).close()
    except ListenRefused as refused:
        by = holder(listen.port)
        if is_serving:
            return ok(check, f"{listen} is in use by {by}")
        return fail(check, f"{refused}; it may be {by}", f"stop that one, or set {setting}")
    return ok(check, f"{listen} is free")


def directory_finding(directory: Path) -> Finding:
    """The data directory of a stack on this machine, where there is one."""
    if not directory.is_dir():
        return ok("disk", f"no data directory at {directory}")
    return disk_finding(directory, shutil.disk_usage(directory).free)


def disk_finding(directory: Path, free_bytes: int) -> Finding:
    said = f"{free_bytes / GIB:.1f} GiB free for {directory}"
    if free_bytes < DISK_BYTES_FAIL:
        return fail("disk", said, "make room: the database stops when the disk is full")
    if free_bytes < DISK_BYTES_WARN:
        return warn("disk", said, "make room before the disk is full")
    return ok("disk", said)
