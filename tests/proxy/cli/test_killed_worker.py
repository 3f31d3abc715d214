"""Real workers that are killed or stopped while no quotad answers, and the ones that come after them."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from proxy.settlement.messages import INTENT, SETTLEMENT
from quotad.client.types import CreatedKey, KeyPolicies, OnQuotadUnavailable, UnavailableAllowance
from tests.proxy.requests.scene import HELD, LIMIT, STREAM, Scene, open_scene, static
from tests.proxy.settlement.ledger import kept
from tests.support.daemons import DATA_TOKEN, limit, quotad
from tests.support.processes import RunningProcess, command, running
from tests.support.stack import clean_environment
from tests.support.waiting import eventually

OPEN = KeyPolicies(
    on_quotad_unavailable=OnQuotadUnavailable.OPEN,
    unavailable_allowance=UnavailableAllowance(requests=5, seconds=3600),
)


@dataclass(frozen=True, slots=True)
class Worker:
    """A proxy in a process of its own, beside the scene's."""

    process: RunningProcess
    client: httpx2.AsyncClient
    outbox_dir: Path

    def kept(self, kind: str) -> list[str]:
        return [name for name, entry in kept(self.outbox_dir).items() if entry.content["kind"] == kind]


@asynccontextmanager
async def worker(scene: Scene, directory: Path, name: str) -> AsyncIterator[Worker]:
    settings = {
        **clean_environment(),
        "PROXY_LISTEN": "127.0.0.1:0",
        "PROXY_DATABASE_URL": scene.daemon.database_url,
        "PROXY_QUOTAD_ADDRESS": scene.daemon.address,
        "PROXY_QUOTAD_TOKEN": DATA_TOKEN,
        "PROXY_KEY_FILE": str(directory / "proxy.key"),
        "PROXY_OUTBOX_DIR": str(directory / "outbox"),
        "PROXY_OUTBOX_ADOPT_SECONDS": "0.2",
        "PROXY_QUOTAD_SECONDS_MAX": "0.5",
        "PROXY_QUOTAD_RETRY_SECONDS": "0.5",
        "PROXY_SETTLE_WAIT_SECONDS": "0.2",
        "PROXY_SETTLE_STOP_SECONDS": "0.2",
    }
    with running([command("quota-proxy"), "serve"], directory / f"{name}.log", env=settings) as process:
        address = await eventually(lambda: _address(process), 20)
        async with httpx2.AsyncClient(base_url=f"http://{address}", timeout=15) as client:
            yield Worker(process, client, directory / "outbox")


def _address(process: RunningProcess) -> str:
    assert process.returncode is None, process.output
    started = [line for line in process.output.splitlines() if "proxy started" in line]
    return started[0].partition('"listen":')[2].split('"')[1] if started else ""


async def ask(worker: Worker, key: CreatedKey, scene: Scene, behaviour: str) -> None:
    """Stream an answer; quotad goes away in its middle."""
    headers = {"authorization": f"Bearer {key.secret}", "x-demo-behaviour": behaviour, "x-demo-words": "10"}
    async with worker.client.stream("POST", "/v1/responses", json=dict(STREAM), headers=headers) as response:
        lines = response.aiter_lines()
        await anext(lines)
        await scene.daemon.stop()
        assert "event: response.completed" in [line async for line in lines]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_usage_that_a_worker_could_not_deliver_is_charged_once_by_the_next(
    database_url: str, tmp_path: Path, number: signal.Signals
) -> None:
    """B5, S1: the caller has seen the end of its stream, so it is on the disk."""
    async with open_scene(database_url, tmp_path, static(), outbox_dir=tmp_path / "other") as scene:
        async with worker(scene, tmp_path, "first") as first:
            await ask(first, scene.key, scene, "slow;ms=20")
            assert len(first.kept(SETTLEMENT)) == 1
            first.process.signal(number)
            assert first.process.wait() == (-number if number is signal.SIGKILL else 0)
            assert len(first.kept(SETTLEMENT)) == 1
        async with quotad(database_url, listen=scene.daemon.address), worker(scene, tmp_path, "second") as second:
            await eventually(lambda: not kept(second.outbox_dir))
            reservation = await scene.the_reservation()
            [usage] = [entry.usage for entry in scene.entries if entry.usage]
            assert reservation["basis"] == "reported"
            assert await scene.counters() == (0, usage.input_tokens + usage.output_tokens)


async def test_a_request_without_a_hold_is_not_free_because_its_worker_was_killed(
    database_url: str, tmp_path: Path
) -> None:
    """B5"""
    async with open_scene(database_url, tmp_path, static(), outbox_dir=tmp_path / "other") as scene:
        async with scene.daemon.admin() as admin:
            key = await admin.create_api_key("open", limits=(limit(max_value=LIMIT),), policies=OPEN)
        async with worker(scene, tmp_path, "first") as first:
            await ask(first, key, scene, "slow;ms=20")
            headers = {"authorization": f"Bearer {key.secret}", "x-demo-behaviour": "hang;after=6"}
            async with first.client.stream("POST", "/v1/responses", json=dict(STREAM), headers=headers) as response:
                await anext(response.aiter_lines())
                [intent] = first.kept(INTENT)
                assert response.headers["x-quota-reservation-id"] == intent
                first.process.signal(signal.SIGKILL)
                first.process.wait()
        async with quotad(database_url, listen=scene.daemon.address), worker(scene, tmp_path, "second") as second:
            await eventually(lambda: not kept(second.outbox_dir))
            charged = {row["reservation_id"]: row for row in await scene.reservations()}
            assert {row["basis"] for row in charged.values()} == {"reported", "estimated"}
            assert charged[intent]["actual"]["total_tokens"] == HELD["total_tokens"]
