"""One of the processes of `quotad serve --workers N`.

It tells its parent on standard output whether it serves, one word a line. Its standard input brings nothing: the end
of it says that the parent is gone, so that no worker outlives it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys

import structlog

from quotad.server.daemon import Running, running_worker
from quotad.server.settings import DaemonSettings

SERVING = "serving"
AWAY = "away"
"""The database does not answer."""
TELL_SECONDS = 0.5
INPUT_BYTES = 4096

log = structlog.get_logger(__name__)


async def work(settings: DaemonSettings) -> None:
    """Serve until SIGTERM or the parent's end, then stop in order; the parent's end during the stop ends it at once."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)  # as often as it comes: a service manager sends it to all
    loop.add_signal_handler(signal.SIGINT, lambda: None)  # a terminal sends it to all; the parent decides
    loop.add_reader(sys.stdin.fileno(), _follow_parent, stopped)
    async with running_worker(settings) as daemon:
        log.info("worker is ready", address=daemon.address)
        await _tell(daemon, stopped)
        log.info("worker is stopping")


def _follow_parent(stopped: asyncio.Event) -> None:
    if os.read(sys.stdin.fileno(), INPUT_BYTES):
        return
    if stopped.is_set():
        os.kill(os.getpid(), signal.SIGKILL)
    asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
    stopped.set()


async def _tell(daemon: Running, stopped: asyncio.Event) -> None:
    told = ""
    while not stopped.is_set():
        word = SERVING if daemon.health.is_serving else AWAY
        if word != told:
            _say(word)
            told = word
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TELL_SECONDS):
                await stopped.wait()


def _say(word: str) -> None:
    with contextlib.suppress(OSError):  # the parent is gone: its end comes on standard input
        sys.stdout.write(f"{word}\n")
        sys.stdout.flush()
