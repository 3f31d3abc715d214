"""The rows that requests leave, over real sockets, and that a worker told to stop loses none of them."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncpg
import httpx2

from servicekit.listening import Listen, bind
from tests.proxy.requests.scene import REQUEST, Scene, open_scene, static
from tests.support.processes import REPOSITORY, command, running
from tests.support.stack import clean_environment
from tests.support.waiting import eventually

REFUSALS = 30


async def log(scene: Scene, requests: int) -> list[Mapping[str, Any]]:
    """The request log once its rows stand for so many requests."""

    async def written() -> list[Mapping[str, Any]] | None:
        found = await scene.fetch("SELECT * FROM proxy.request_logs ORDER BY start_time")
        assert sum(row["count"] for row in found) <= requests
        return found if sum(row["count"] for row in found) == requests else None

    return await eventually(written) or []


async def test_a_row_says_what_the_request_cost_and_which_retry_it_was(scene: Scene) -> None:
    headers = {"authorization": f"Bearer {scene.key.secret}", "x-stainless-retry-count": "2"}
    response = await scene.client.post("/v1/responses", json=REQUEST, headers=headers)
    assert response.status_code == 200
    row = await scene.the_row()
    reservation = await scene.reservation_of(response)
    assert row["cost_microusd"] == reservation["actual"]["cost_microusd"] > 0
    assert (row["retry_count"], row["count"], row["limit_id"]) == (2, 1, None)


async def test_refusals_in_a_burst_are_ten_rows_and_one_with_a_count(scene: Scene) -> None:
    key = await scene.create_key(scene.key.api_key.policies.on_missing_usage, max_value=1)
    answers = await asyncio.gather(*(scene.post(key=key) for _ in range(REFUSALS)))
    assert {answer.status_code for answer in answers} == {429}
    rows = await log(scene, REFUSALS)
    seconds = {int(row["start_time"].timestamp()) for row in rows}
    assert len(rows) <= 11 * len(seconds)
    assert all(row["denial"]["limits"][0]["limit_id"] == row["limit_id"] for row in rows)
    totals = await scene.fetch(
        "SELECT sum(request_count)::int AS requests, sum(row_count)::int AS rows FROM proxy.request_totals"
        " WHERE span_seconds = 86400 AND by_key"
    )
    assert totals == [{"requests": REFUSALS, "rows": len(rows)}]


async def test_requests_with_unknown_keys_share_a_row_for_each_minute(scene: Scene) -> None:
    for number in range(REFUSALS):
        response = await scene.client.post(
            "/v1/responses", json=REQUEST, headers={"authorization": f"Bearer sk-unknown-{number}"}
        )
        assert response.status_code == 401
    rows = await log(scene, REFUSALS)
    assert len(rows) == len({int(row["start_time"].timestamp()) // 60 for row in rows})
    assert {row["client_address"] for row in rows} == {"127.0.0.1"}
    assert "sk-unknown" not in str(rows)


async def test_header_values_that_no_text_holds_do_not_lose_the_row(scene: Scene) -> None:
    headers = [
        (b"authorization", f"Bearer {scene.key.secret}".encode()),
        (b"user-agent", b"\xff\xfe" * 1_000),
        (b"x-stainless-retry-count", b"9" * 30),
        (b"x-request-id", b"\xc3\x28"),
    ]
    response = await scene.client.post("/v1/responses", json=REQUEST, headers=headers)
    assert response.status_code == 200
    row = await scene.the_row()
    assert (len(row["user_agent"]), row["retry_count"]) == (256, None)


async def test_a_worker_that_is_told_to_stop_writes_what_waits(database_url: str, tmp_path: Path) -> None:
    """Every answer that a client has seen is in the log, however soon the worker was stopped."""
    async with open_scene(database_url, tmp_path, static()) as scene:
        listener = bind(Listen("127.0.0.1", 0), setting="test")
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.close()
        environment = {
            **clean_environment(),
            "PROXY_DATABASE_URL": database_url,
            "PROXY_QUOTAD_ADDRESS": scene.daemon.address,
            "PROXY_QUOTAD_TOKEN": scene.worker.services.settings.quotad_token.get_secret_value(),
            "PROXY_KEY_FILE": str(tmp_path / "proxy.key"),
            "PROXY_OUTBOX_DIR": str(tmp_path / "outbox"),
            "PROXY_LISTEN": url.removeprefix("http://"),
            "PROXY_REQUEST_LOG_FLUSH_SECONDS": "3600",
        }
        with running([command("quota-proxy"), "serve"], tmp_path / "log", env=environment, cwd=REPOSITORY) as process:
            await asyncio.to_thread(process.wait_for_output, "proxy started")
            async with httpx2.AsyncClient(base_url=url, timeout=15) as client:
                headers = {"authorization": f"Bearer {scene.key.secret}"}
                posts = (client.post("/v1/responses", json=REQUEST, headers=headers) for _ in range(20))
                assert {answer.status_code for answer in await asyncio.gather(*posts)} == {200}
            process.signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait, 30.0) == 0
        connection = await asyncpg.connect(database_url)
        assert await connection.fetchval("SELECT count(*) FROM proxy.request_logs WHERE status = 'ok'") == 20
        await connection.close()
