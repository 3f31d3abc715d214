"""Callers who leave, workers that stop, and quotad away: nothing is lost and nothing is free."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from tests.proxy.requests.scene import HASTY, HELD, STREAM, Scene, open_scene, static
from tests.support.daemons import quotad
from tests.support.waiting import eventually


async def leave_after_first_event(scene: Scene, behaviour: str, *, words: int = 5) -> None:
    async with scene.streaming(behaviour=behaviour, words=words) as response:
        async for line in response.aiter_lines():
            if line.startswith("data: "):
                return


async def ask_in_vain(scene: Scene, behaviour: str) -> None:
    """Send a request, and leave once it has reached the upstream."""
    asking = asyncio.create_task(scene.post(STREAM, behaviour=behaviour))
    await eventually(lambda: scene.entries)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_a_caller_who_leaves_before_anything_came_is_soon_released(scene: Scene) -> None:
    """S12, S13"""
    await ask_in_vain(scene, "hang")
    assert (await scene.the_reservation())["state"] == "released"
    await scene.idle()
    row = await scene.the_row()
    assert (row["status"], row["settlement"], row["attempts"][0]["outcome"]) == ("cancelled", "released", "cut")


async def test_an_answer_on_its_way_is_charged_although_its_caller_has_left(scene: Scene) -> None:
    """B4: nothing had come when the caller left, and no other account is asked."""
    await ask_in_vain(scene, "slow;ms=50")
    reservation = await scene.the_reservation()
    assert (reservation["state"], reservation["basis"]) == ("finalized", "reported")
    assert len(scene.entries) == 1


async def test_a_caller_who_leaves_in_mid_stream_is_charged_what_the_upstream_reports(scene: Scene) -> None:
    """B4, S13"""
    await leave_after_first_event(scene, "slow;ms=20", words=10)
    reservation = await scene.the_reservation()
    [usage] = [entry.usage for entry in scene.entries]
    assert usage is not None
    assert reservation["basis"] == "reported"
    assert reservation["actual"]["total_tokens"] == usage.input_tokens + usage.output_tokens
    row = await scene.the_row()
    assert (row["status"], row["settlement"], row["basis"]) == ("cancelled", "finalized", "reported")


async def test_an_upstream_that_fails_after_the_caller_left_is_released(scene: Scene) -> None:
    """S13"""
    await leave_after_first_event(scene, "cut;after=6;ms=20")
    assert (await scene.the_reservation())["state"] == "released"


async def test_a_drain_that_we_cut_is_estimated_and_never_free(database_url: str, tmp_path: Path) -> None:
    """S13: leaving early is never cheaper than staying."""
    async with open_scene(database_url, tmp_path, static(), drain_seconds=0.2) as scene:
        await leave_after_first_event(scene, "hang;after=6")
        reservation = await scene.the_reservation()
        assert (reservation["state"], reservation["basis"]) == ("finalized", "estimated")
        assert reservation["actual"]["total_tokens"] == HELD["total_tokens"]
        assert (await scene.the_row())["status"] == "cancelled"


async def test_an_answer_that_takes_too_long_ends_with_an_error_and_an_estimate(
    database_url: str, tmp_path: Path
) -> None:
    async with open_scene(database_url, tmp_path, static(), upstream_total_seconds=0.5) as scene:
        response = await scene.post(STREAM, behaviour="hang;after=6")
        assert '"code": "upstream_timeout"' in response.text
        assert (await scene.reservation_of(response))["basis"] == "estimated"


async def test_a_silent_upstream_times_out_and_the_next_account_answers(database_url: str, tmp_path: Path) -> None:
    async with open_scene(
        database_url, tmp_path, static("first"), static("second"), upstream_idle_seconds=0.3
    ) as scene:
        scene.misbehave("hang")
        assert (await scene.post()).status_code == 200
        assert [entry.outcome for entry in scene.entries] == ["hang", "completed"]
        scene.misbehave("hang;after=6")
        response = await scene.post(STREAM)
        assert '"code": "upstream_timeout"' in response.text
        assert (await scene.reservation_of(response))["state"] == "released"


async def test_a_worker_that_stops_settles_what_it_cuts_off(database_url: str, tmp_path: Path) -> None:
    """S12: cancellation is a way out like any other."""
    async with open_scene(database_url, tmp_path, static(), stop_seconds=0.2) as scene:
        asking = [asyncio.create_task(scene.post(STREAM, behaviour=name)) for name in ("hang;after=6", "hang")]
        await eventually(lambda: len(scene.entries) == 2)
        await scene.worker.runner.stop()
        answers = [await task for task in asking]
        assert [answer.status_code for answer in answers] == [200, 503]
        assert all("server_is_overloaded" in answer.text for answer in answers)
        states = {row["state"]: row["basis"] for row in await scene.reservations()}
        assert states == {"finalized": "estimated", "released": "none"}
        assert (await scene.counters())[0] == 0
        assert (await scene.post()).status_code == 503


async def test_a_stream_ends_in_time_while_its_charge_is_still_on_the_way(database_url: str, tmp_path: Path) -> None:
    """S1: delivery goes on in the background with the same id."""
    async with open_scene(database_url, tmp_path, static(), settle_wait_seconds=0.2, **HASTY) as scene:
        async with scene.streaming(behaviour="slow;ms=20", words=5) as response:
            lines = response.aiter_lines()
            await anext(lines)
            async with scene.daemon.windows_locked():
                assert "event: response.completed" in [line async for line in lines]
                assert [row["state"] for row in await scene.reservations()] == ["reserved"]
                row = await scene.the_row()
                assert (row["status"], row["settlement"]) == ("ok", "pending")
        assert (await scene.the_reservation())["basis"] == "reported"


async def test_a_charge_outlives_an_outage_of_quotad(database_url: str, tmp_path: Path) -> None:
    """B2, S1: the same Finalize is repeated until quotad is back; the request was answered all the same."""
    async with open_scene(database_url, tmp_path, static(), settle_wait_seconds=0.2, **HASTY) as scene:
        async with scene.streaming(behaviour="slow;ms=30", words=10) as response:
            lines = response.aiter_lines()
            await anext(lines)
            await scene.daemon.stop()
            assert "event: response.completed" in [line async for line in lines]
        async with quotad(database_url, listen=scene.daemon.address):
            assert (await scene.the_reservation())["basis"] == "reported"
            [usage] = [entry.usage for entry in scene.entries]
            assert usage is not None
            assert await scene.counters() == (0, usage.input_tokens + usage.output_tokens)


async def test_quotad_away_is_told_and_nothing_is_served_unmetered(database_url: str, tmp_path: Path) -> None:
    """S7"""
    async with open_scene(database_url, tmp_path, static(), settle_stop_seconds=0.1, **HASTY) as scene:
        await scene.post()
        await scene.daemon.stop()
        refused = await scene.post()
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "quota_unavailable")
        assert refused.headers["retry-after"] == "1"
        assert len(scene.entries) == 1
        rows = await scene.rows(2)
        assert (rows[1]["status"], rows[1]["settlement"]) == ("error", "pending")


async def test_a_long_request_keeps_its_hold(database_url: str, tmp_path: Path) -> None:
    """B1"""
    async with open_scene(database_url, tmp_path, static(), lease_seconds=1.0) as scene:
        await scene.post(STREAM, behaviour="slow;ms=100", words=20)
        reservation = await scene.the_reservation()
        assert (reservation["state"], reservation["late"]) == ("finalized", False)
        assert reservation["settle_time"] - reservation["create_time"] > timedelta(seconds=2)


async def test_usage_is_charged_when_the_lease_lapsed_all_the_same(database_url: str, tmp_path: Path) -> None:
    """B2"""
    async with open_scene(database_url, tmp_path, static(), lease_seconds=1.0) as scene:
        async with scene.streaming(behaviour="slow;ms=100", words=10) as response:
            lines = response.aiter_lines()
            await anext(lines)
            await scene.daemon.execute("UPDATE quotad.reservations SET expire_time = clock_timestamp()")
            assert "event: response.completed" in [line async for line in lines]
        reservation = await scene.the_reservation()
        assert (reservation["state"], reservation["late"], reservation["basis"]) == ("finalized", True, "reported")


async def test_a_worker_takes_only_so_many_requests_at_a_time(database_url: str, tmp_path: Path) -> None:
    async with open_scene(database_url, tmp_path, static(), streams_max=1) as scene:
        async with scene.streaming(behaviour="slow;ms=50"):
            refused = await scene.post()
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "server_is_overloaded")
        await scene.idle()
        assert (await scene.post()).status_code == 200
