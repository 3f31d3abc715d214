"""Running the demo upstream, as a process or beside others in a loop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
import uvloop
from aiohttp import web

from proxy.demo_upstream.server import DemoUpstream
from servicekit.listening import Listen, bind

BACKLOG = 1_024
"""Connections waiting to be accepted: enough for a burst of a benchmark."""
STOP_SECONDS = 1.0
"""How long running streams may go on at shutdown; nothing of value is lost with them."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Serving:
    """A demo upstream that is listening; `url` has no trailing slash."""

    upstream: DemoUpstream
    url: str

    @property
    def base_url(self) -> str:
        """What an account is configured with."""
        return f"{self.url}/v1"


def run(listen: Listen, *, strict: bool = False) -> None:
    """Serve until SIGINT or SIGTERM. Raises `ListenRefused` where the port cannot be had."""
    uvloop.run(_run(listen, strict=strict))


@asynccontextmanager
async def serving(listen: Listen, *, strict: bool = False) -> AsyncIterator[Serving]:
    """Serve while the block runs; port 0 takes a free one."""
    listener = bind(listen, setting="--listen")
    upstream = DemoUpstream(strict=strict)
    runner = web.AppRunner(upstream.app(), access_log=None, handler_cancellation=True, shutdown_timeout=STOP_SECONDS)
    await runner.setup()
    try:
        await web.SockSite(runner, listener, backlog=BACKLOG).start()
        yield Serving(upstream, f"http://{Listen(listen.host, listener.getsockname()[1])}")
    finally:
        await runner.cleanup()


async def _run(listen: Listen, *, strict: bool) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with serving(listen, strict=strict) as running:
        log.info("demo upstream ready", url=running.base_url)
        await stopped.wait()
