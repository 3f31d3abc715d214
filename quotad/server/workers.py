"""The parent of `quotad serve --workers N`: keeps the port, the workers and their metrics.

The kernel spreads connections over the workers, each of which is a daemon like any other on the same database. The
parent serves no call. Counts of all workers, past ones included, stand on one metrics listener.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.multiprocess import MultiProcessCollector
from pydantic import SecretStr

from quotad.server.metrics import WORKER_VARIABLE
from quotad.server.settings import DaemonSettings
from quotad.server.worker import SERVING
from servicekit.commands import REFUSED
from servicekit.listening import Listen, hold_shared
from servicekit.restarts import Pauses
from servicekit.serving import metrics_beside, require_safe_listener, serving_metrics, stop_event

COMMAND = (sys.executable, "-P", "-m", "quotad.cli", "worker")
RESTART_SECONDS_MIN = 0.2
RESTART_SECONDS_MAX = 30.0
STEADY_SECONDS = 60.0
"""A worker that lived this long starts again without a longer pause."""
CLEANUP_SECONDS_MAX = 3.0
"""What a worker may need, after its last answer, beside the time for its database connections."""

log = structlog.get_logger(__name__)


async def serve_workers(settings: DaemonSettings) -> int:
    """Run the workers until SIGTERM or SIGINT; returns the exit code.

    0 after a stop; the code of the first worker where that cannot start, which has then said why. Raises
    `ListenRefused`.
    """
    require_safe_listener(settings, has_tls=settings.tls_cert is not None)
    stopped = stop_event()
    listen = Listen.parse(settings.listen)
    with hold_shared(listen, setting="QUOTAD_LISTEN") as holder, tempfile.TemporaryDirectory() as counts:
        address = str(Listen(listen.host, holder.getsockname()[1]))
        environment = worker_environment(settings, address, Path(counts))
        team = Team(settings, environment, Path(counts))
        async with serving_metrics(metrics_beside(settings, team.is_ready, team.registry)) as metrics_address:
            return await team.run(stopped, address, metrics_address)


def worker_environment(settings: DaemonSettings, address: str, counts: Path) -> dict[str, str]:
    """Every setting as a variable, so that a worker started later has the same ones."""
    values = {name: getattr(settings, name) for name in type(settings).model_fields} | {"listen": address}
    variables = {f"QUOTAD_{name}".upper(): _text(value) for name, value in values.items() if value is not None}
    return {**os.environ, **variables, "PROMETHEUS_MULTIPROC_DIR": str(counts)}


def _text(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


class Team:
    """The workers of one parent."""

    def __init__(self, settings: DaemonSettings, environment: Mapping[str, str], counts: Path) -> None:
        self.registry = CollectorRegistry()
        MultiProcessCollector(self.registry, path=str(counts))  # type: ignore[no-untyped-call]
        restarts = Counter("quotad_worker_restarts", "Workers started again.", registry=self.registry)
        serving = Gauge("quotad_workers_serving", "Workers whose database answers.", registry=self.registry)
        serving.set_function(lambda: sum(worker.is_serving for worker in self._workers))
        self._workers = [Worker(number + 1, environment, restarts) for number in range(settings.workers)]
        self._stop_seconds = settings.stop_seconds + settings.statement_timeout_seconds + CLEANUP_SECONDS_MAX

    async def is_ready(self) -> bool:
        return any(worker.is_serving for worker in self._workers)

    async def run(self, stopped: asyncio.Event, address: str, metrics_address: str) -> int:
        stopping = asyncio.create_task(stopped.wait())
        try:
            code = await self._begin(stopping)
            if code == 0 and not stopped.is_set():
                where = {"address": address, "metrics": f"http://{metrics_address}/metrics"}
                log.info("quotad is ready", **where, workers=len(self._workers))
                await self._keep(stopping)
                log.info("quotad is stopping")
            return code
        finally:
            stopping.cancel()
            await asyncio.gather(*(worker.stop(self._stop_seconds) for worker in self._workers))

    async def _begin(self, stopping: asyncio.Task[bool]) -> int:
        """Start the first worker alone: what keeps it from starting is then said once. Its exit code then, else 0."""
        first = self._workers[0]
        await first.start()
        begun = asyncio.create_task(first.has_begun())
        await asyncio.wait((begun, stopping), return_when=asyncio.FIRST_COMPLETED)
        if begun.done() and not stopping.done() and not begun.result():
            return max(await first.ended(), REFUSED)
        begun.cancel()
        return 0

    async def _keep(self, stopping: asyncio.Task[bool]) -> None:
        keepers = [asyncio.create_task(worker.keep()) for worker in self._workers]
        await asyncio.wait((stopping, *keepers), return_when=asyncio.FIRST_COMPLETED)
        for keeper in keepers:
            keeper.cancel()
        for outcome in await asyncio.gather(*keepers, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome


class Worker:
    """One place in the team, and the process that has it at the moment."""

    def __init__(self, number: int, environment: Mapping[str, str], restarts: Counter) -> None:
        self.is_serving = False
        self._number = number
        self._environment = {**environment, WORKER_VARIABLE: str(number)}
        self._restarts = restarts
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *COMMAND, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=self._environment
        )

    async def has_begun(self) -> bool:
        """Whether it has said a first word; False where it ended without one."""
        return await self._listen_once()

    async def keep(self) -> None:
        """Follow what it says, and start it again whenever it ends. Cancel it to stop."""
        pauses = Pauses(seconds_min=RESTART_SECONDS_MIN, seconds_max=RESTART_SECONDS_MAX, steady_seconds=STEADY_SECONDS)
        clock = asyncio.get_running_loop().time
        while True:
            since = clock()
            if self._process is None:
                await self._try_to_start()
            while await self._listen_once():
                pass
            code = await self.ended()
            self._process = None
            pause = pauses.after(clock() - since)
            log.error("worker ended", number=self._number, code=code, restart_seconds=pause)
            await asyncio.sleep(pause)
            self._restarts.inc()

    async def ended(self) -> int:
        """Its exit code, once it has ended."""
        return -1 if self._process is None else await self._process.wait()

    async def stop(self, seconds_max: float) -> None:
        """Let it answer what it has accepted, and kill it when that takes longer than `seconds_max`."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(seconds_max):
                await process.wait()
        except TimeoutError:
            log.warning("worker does not stop: killing it", number=self._number)
            process.kill()
            await process.wait()

    async def _try_to_start(self) -> None:
        try:
            await self.start()
        except OSError as error:  # short of memory or descriptors: the next round tries again
            log.warning("worker cannot be started", number=self._number, error=str(error))

    async def _listen_once(self) -> bool:
        """Take in its next word; False at the end of its output."""
        output = None if self._process is None else self._process.stdout
        line = b"" if output is None else await output.readline()
        self.is_serving = line.strip() == SERVING.encode()
        return bool(line)
