"""On what a run was made."""

from __future__ import annotations

import os
import platform
import shlex
import statistics
import subprocess
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from benchmarks.ledger.cluster import SETTINGS, Server
from benchmarks.ledger.daemons import redis_version
from benchmarks.ledger.processes import REPOSITORY

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

PACKAGES = ("grpcio", "protobuf", "asyncpg", "uvloop", "uvicorn", "aiohttp")
SYNCS = 200
SYNC_BYTES = 8_192
GIT_SECONDS_MAX = 10.0


def facts(server: Server, method: DataclassInstance, directory: Path, module: str) -> dict[str, str]:
    """Everything that a reader needs to judge the figures, or to get them again."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": shlex.join(["python", "-m", module, *sys.argv[1:]]),
        "commit": _commit(),
        "processor": f"{_processor()}, {psutil.cpu_count()} cores",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "disk": f"{_filesystem(directory)}, {sync_microseconds(directory):.0f} us per fdatasync of 8 KiB",
        "load before the run": f"{os.getloadavg()[0]:.2f}",
        "Python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
        "Postgres": server.version,
        "Redis": redis_version() or "not installed",
        "Postgres settings": ", ".join(f"{name}={value}" for name, value in SETTINGS.items()),
        "method": ", ".join(f"{name}={value}" for name, value in asdict(method).items()),
    }


def sync_microseconds(directory: Path) -> float:
    """The median time that this disk takes to make a small write durable."""
    path, times = directory / "fdatasync", []
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        for _ in range(SYNCS):
            os.pwrite(descriptor, b"\0" * SYNC_BYTES, 0)
            began = time.perf_counter()
            os.fdatasync(descriptor)
            times.append(time.perf_counter() - began)
    finally:
        os.close(descriptor)
        path.unlink()
    return statistics.median(times) * 1_000_000


def _filesystem(directory: Path) -> str:
    mounted = [part for part in psutil.disk_partitions(all=True) if directory.is_relative_to(part.mountpoint)]
    return max(mounted, key=lambda part: len(part.mountpoint)).fstype if mounted else "unknown filesystem"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _commit() -> str:
    argv = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=GIT_SECONDS_MAX)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip()
