"""Accounts over real sockets: two workers and one token, the pool's headers, and windows that answers tell of."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx2

from proxy.demo_upstream.usage import DemoUsage
from proxy.records.settings import OperatorSettings, write_settings
from tests.proxy.http.world import serving_proxy
from tests.proxy.requests.scene import REQUEST, STREAM, Scene, oauth, open_scene, static
from tests.support.waiting import eventually

USED = "x-codex-primary-used-percent"


async def test_two_workers_that_meet_a_401_at_once_refresh_once(database_url: str, tmp_path: Path) -> None:
    """B6: and every request is served, each under its one reservation."""
    async with open_scene(database_url, tmp_path, oauth()) as scene:
        scene.demo.upstream.credentials.expire("first-first")
        headers = {"authorization": f"Bearer {scene.key.secret}"}
        async with (
            serving_proxy(scene.worker.services.settings) as (url, _),
            httpx2.AsyncClient(base_url=url, timeout=15, headers=headers) as other,
        ):
            answers = await asyncio.gather(
                *(scene.post(STREAM) for _ in range(4)),
                *(other.post("/v1/responses", json=dict(REQUEST)) for _ in range(4)),
            )
        assert [answer.status_code for answer in answers] == [200] * 8
        assert scene.demo.upstream.credentials.refreshes == 1
        assert {row["state"] for row in await scene.reservations()} == {"finalized"}
        assert (await scene.account_state("first"))[0] == "active"


async def test_every_answer_of_the_relay_tells_the_pools_windows_unless_they_are_hidden(
    database_url: str, tmp_path: Path
) -> None:
    async with open_scene(database_url, tmp_path, static(), header_sample_seconds=0.01) as scene:
        assert USED not in (await scene.post()).headers
        scene.demo.upstream.usage.tell({"key-of-first": DemoUsage(40, 10, balance="3", sends_headers=True)})
        await scene.post()

        async def is_told() -> bool:
            return (await scene.post()).headers.get(USED) == "40.0"

        await eventually(is_told)
        stream, refused = await scene.post(STREAM), await scene.post({"model": 7})
        unknown = await scene.client.post("/v1/responses", json={}, headers={"authorization": "Bearer wrong"})
        assert [answer.status_code for answer in (stream, refused, unknown)] == [200, 400, 401]
        for answer in (stream, refused, unknown):
            assert answer.headers[USED] == "40.0"
            assert answer.headers["x-codex-secondary-used-percent"] == "10.0"
            assert answer.headers["x-codex-credits-balance"] == "3.00"
        await hide(scene)

        async def is_hidden() -> bool:
            return USED not in (await scene.post()).headers

        await eventually(is_hidden)


async def hide(scene: Scene) -> None:
    async with scene.worker.engine.begin() as connection:
        await write_settings(connection, OperatorSettings(hide_pool_limits=True), expected_version=0)


async def test_an_answer_that_shows_a_full_window_is_the_accounts_last_until_its_reset(two_accounts: Scene) -> None:
    full = DemoUsage(100, 20, 600, sends_headers=True)
    two_accounts.demo.upstream.usage.tell({"key-of-first": full, "key-of-second": DemoUsage(5, sends_headers=True)})
    for _ in range(6):
        assert (await two_accounts.post()).status_code == 200
    served = [entry.credential for entry in two_accounts.entries]
    assert len(set(served)) == 2
    assert sum(credential == "-first" for credential in served) == 1

    async def is_limited() -> bool:
        return (await two_accounts.account_state("first"))[0] == "rate_limited"

    await eventually(is_limited)
