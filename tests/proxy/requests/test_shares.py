from __future__ import annotations

import asyncio
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from proxy.requests.shares import OpenRequests, Place
from tests.proxy.requests.scene import STREAM, open_scene, static
from tests.support.waiting import eventually


def filled(open_requests: OpenRequests, api_key_id: str | None, count: int) -> list[Place]:
    """Ask for places until one is refused, or `count` are taken."""
    places = []
    for _ in range(count):
        places.append(open_requests.find(api_key_id))
        if places[-1] is not Place.FREE:
            break
        open_requests.opened(api_key_id)
    return places


def test_a_key_has_a_cap_of_its_own() -> None:
    open_requests = OpenRequests(streams_max=1000, key_streams_max=3)
    assert filled(open_requests, "busy", 10) == [Place.FREE] * 3 + [Place.KEY_FULL]
    assert open_requests.find("other") is Place.FREE
    open_requests.ended("busy")
    assert open_requests.find("busy") is Place.FREE


def test_one_busy_key_leaves_room_for_the_next() -> None:
    open_requests = OpenRequests(streams_max=100, key_streams_max=1000)
    assert filled(open_requests, "busy", 200) == [Place.FREE] * 90 + [Place.WORKER_FULL]
    assert filled(open_requests, "other", 200) == [Place.FREE] * 10 + [Place.WORKER_FULL]
    open_requests.ended("busy")
    assert open_requests.find("busy") is Place.WORKER_FULL
    assert open_requests.find("other") is Place.FREE


def test_without_keys_there_is_one_bound() -> None:
    open_requests = OpenRequests(streams_max=100, key_streams_max=3)
    assert filled(open_requests, None, 200) == [Place.FREE] * 100 + [Place.WORKER_FULL]


def test_a_worker_with_few_places_keeps_none_back() -> None:
    assert filled(OpenRequests(streams_max=2, key_streams_max=5), "one", 5) == [Place.FREE] * 2 + [Place.WORKER_FULL]


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abc"))), st.integers(1, 30), st.integers(1, 30))
def test_no_bound_is_ever_passed(history: list[tuple[bool, str]], streams_max: int, key_streams_max: int) -> None:
    open_requests = OpenRequests(streams_max=streams_max, key_streams_max=key_streams_max)
    taken: list[str] = []
    for opens, key in history:
        if not opens and key in taken:
            taken.remove(key)
            open_requests.ended(key)
        elif opens and open_requests.find(key) is Place.FREE:
            taken.append(key)
            open_requests.opened(key)
        assert len(taken) <= streams_max
        assert max(map(taken.count, "abc")) <= key_streams_max


async def test_a_key_over_its_cap_is_told_to_wait_and_others_are_served(database_url: str, tmp_path: Path) -> None:
    async with open_scene(database_url, tmp_path, static(), key_streams_max=1) as scene:
        other = await scene.daemon.create_key(name="other")
        async with scene.streaming(behaviour="slow;ms=50", words=40):
            refused = await scene.post()
            error = refused.json()["error"]
            assert (refused.status_code, error["type"], error["code"]) == (429, "requests", "rate_limit_exceeded")
            assert refused.headers["retry-after"] == "1"
            assert (await scene.post({**STREAM, "max_output_tokens": 50}, key=other)).status_code == 200


async def test_an_answer_that_is_read_on_counts_for_its_key(database_url: str, tmp_path: Path) -> None:
    """S13"""
    async with open_scene(database_url, tmp_path, static(), key_streams_max=1, drain_seconds=0.5) as scene:
        async with scene.streaming(behaviour="hang;after=6") as response:
            await anext(response.aiter_lines())
        await eventually(lambda: scene.worker.runner.running == 1)
        assert (await scene.post()).status_code == 429
        await scene.idle()
        assert (await scene.post()).status_code == 200


async def test_the_newest_of_too_many_drains_is_read_on(database_url: str, tmp_path: Path) -> None:
    """S13: the oldest is cut, and charged no less than if its caller had stayed."""
    async with open_scene(database_url, tmp_path, static(), drains_max=1) as scene:
        for _ in range(2):
            async with scene.streaming(behaviour="hang;after=6") as response:
                await anext(response.aiter_lines())

        async def one_is_settled() -> bool:
            return sorted(row["state"] for row in await scene.reservations()) == ["finalized", "reserved"]

        await eventually(one_is_settled)
        await asyncio.sleep(0)
        oldest = (await scene.reservations())[0]
        assert (oldest["state"], oldest["basis"]) == ("finalized", "estimated")
