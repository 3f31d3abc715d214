"""`quotad serve --workers N` as real processes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from prometheus_client import Gauge

from quotad.client import QuotaClient
from quotad.client.admin import AdminClient
from quotad.client.connection import Connection
from quotad.server import metrics
from quotad.store.audit import differences
from tests.support.commands import Ended, run_command
from tests.support.daemons import ADMIN_TOKEN, DATA_TOKEN, limit, locked_reservations, someone_waits
from tests.support.processes import RunningProcess, command, running
from tests.support.stack import clean_environment
from tests.support.waiting import eventually
from tests.support.web import fetch

WORKERS = 2


@dataclass(frozen=True, slots=True)
class Team:
    """A running parent with its workers."""

    process: RunningProcess
    settings: dict[str, str]
    directory: Path
    address: str
    metrics_address: str

    def workers(self) -> list[psutil.Process]:
        return [child for child in psutil.Process(self.process.pid).children() if child.status() != "zombie"]

    def client(self) -> QuotaClient:
        return QuotaClient(self.address, DATA_TOKEN, coalesce=False)

    async def create_key(self) -> str:
        async with Connection(self.address, ADMIN_TOKEN) as connection:
            return (await AdminClient(connection, "tests").create_api_key("demo", limits=[limit()])).secret

    async def metric(self, sample: str) -> float:
        """The value of one time series; 0 where there is none."""
        lines = (await fetch(self.metrics_address, "/metrics")).splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{sample} ")), 0.0)

    async def serving(self, count: int) -> bool:
        return await self.metric("quotad_workers_serving") == count


@contextmanager
def team(database_url: str, directory: Path) -> Iterator[Team]:
    settings = {
        "QUOTAD_DATABASE_URL": database_url,
        "QUOTAD_BOOTSTRAP_DATA_TOKEN": DATA_TOKEN,
        "QUOTAD_BOOTSTRAP_ADMIN_TOKEN": ADMIN_TOKEN,
        "QUOTAD_LOCK_TIMEOUT_SECONDS": "8",
        "QUOTAD_STATEMENT_TIMEOUT_SECONDS": "9",
    }
    argv = [command("quotad"), "serve", "--workers", str(WORKERS)]
    argv += ["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"]
    env = {**clean_environment(), "QUOTA_DATA_DIR": str(directory / "data"), **settings}
    with running(argv, directory / "log", env=env, cwd=directory) as process:
        output = process.wait_for_output("quotad is ready")
        ready = next(json.loads(line) for line in output.splitlines() if "quotad is ready" in line)
        metrics_address = ready["metrics"].removeprefix("http://").removesuffix("/metrics")
        yield Team(process, settings, directory, ready["address"], metrics_address)


@pytest.fixture
async def two(database_url: str, tmp_path: Path) -> Iterator[Team]:  # type: ignore[misc]
    with team(database_url, tmp_path) as running_team:
        await eventually(lambda: running_team.serving(WORKERS), 20)
        yield running_team
    assert await differences(database_url) == []


async def test_a_worker_that_is_killed_comes_back_and_its_counts_stay(two: Team) -> None:
    secret = await two.create_key()
    async with two.client() as client:
        await client.reserve("one", api_key=secret, model="m", amounts={"total_tokens": 1})
    counted = 'quotad_calls_total{reason="OK",rpc="Reserve"}'
    await eventually(lambda: two.metric(counted))
    for worker in two.workers():
        worker.kill()

    async def are_back() -> bool:
        restarts = await two.metric("quotad_worker_restarts_total")
        return restarts == WORKERS and await two.serving(WORKERS)

    await eventually(are_back, 30)
    assert await two.metric(counted) == 1
    async with two.client() as client:
        assert (await client.reserve("one", api_key=secret, model="m", amounts={"total_tokens": 1})).replayed


async def test_a_stop_answers_what_the_workers_have_accepted(two: Team, database_url: str) -> None:
    secret = await two.create_key()
    async with two.client() as client:
        async with locked_reservations(database_url):
            accepted = asyncio.ensure_future(
                client.reserve("accepted", api_key=secret, model="m", amounts={"total_tokens": 1})
            )
            await someone_waits(database_url)
            two.process.signal(signal.SIGTERM)
            await eventually(lambda: two.process.output.count("worker is stopping") == WORKERS)
        assert not (await accepted).replayed
    assert await asyncio.to_thread(two.process.wait) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_to_the_whole_group_stops_it_in_order(two: Team, number: signal.Signals) -> None:
    """A terminal sends SIGINT, and a service manager SIGTERM, to the parent and to each worker."""
    workers = two.workers()
    os.killpg(two.process.pid, number)
    assert await asyncio.to_thread(two.process.wait) == 0
    assert not any(worker.is_running() for worker in workers)
    assert two.process.output.count("worker is stopping") == WORKERS
    assert "worker ended" not in two.process.output


async def test_no_worker_outlives_its_parent(two: Team) -> None:
    workers = two.workers()
    two.process.signal(signal.SIGKILL)
    await eventually(lambda: not any(worker.is_running() for worker in workers), 20)


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_second_daemon_finds_the_port_taken(two: Team, workers: str) -> None:
    arguments = ("serve", "--listen", two.address, "--metrics-listen", "127.0.0.1:0", "--workers", workers)
    second = await asyncio.to_thread(run_command, "quotad", *arguments, settings=two.settings, directory=two.directory)
    assert second.code == 2
    assert f"cannot listen on {two.address} (QUOTAD_LISTEN)" in second.stderr.splitlines()[-1]


async def test_readiness_follows_the_workers(two: Team) -> None:
    assert "200 OK" in await fetch(two.metrics_address, "/readyz")
    for worker in two.workers():
        worker.suspend()
        worker.kill()

    async def is_away() -> bool:
        return "503" in await fetch(two.metrics_address, "/readyz")

    await eventually(is_away)


def test_what_keeps_workers_from_starting_is_said_once(database_url: str, tmp_path: Path) -> None:
    settings = {"QUOTAD_DATABASE_URL": database_url.replace("postgresql://", "postgresql://nobody@nowhere:1/x?x=")}
    ended = serve_workers(tmp_path, settings)
    assert ended.code == 2
    assert ended.stderr.count("QUOTAD_DATABASE_URL: the database cannot be used") == 1


def serve_workers(directory: Path, settings: dict[str, str]) -> Ended:
    arguments = ("serve", "--workers", "3", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0")
    return run_command("quotad", *arguments, settings=settings, directory=directory)


def test_every_gauge_says_how_workers_add_up() -> None:
    gauges = [value for value in vars(metrics).values() if isinstance(value, Gauge)]
    assert all(gauge._multiprocess_mode != "all" for gauge in gauges)
