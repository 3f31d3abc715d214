"""The event stream over a real socket."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import httpx2

from tests.dashboard.operating import Operating, operating
from tests.dashboard.world import code_of, running
from tests.support.daemons import quotad
from tests.support.waiting import eventually

Event = tuple[str, dict[str, Any]]


async def events(client: httpx2.AsyncClient) -> AsyncGenerator[Event]:
    async with client.stream("GET", "/api/events") as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        name = ""
        async for line in answer.aiter_lines():
            field, _, value = line.partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                yield name, json.loads(value)


async def test_a_page_hears_of_what_changes_and_of_nothing_else(scene: Operating) -> None:
    key = await scene.key("alice")
    async with aclosing(events(scene.operator)) as heard:
        name, data = await anext(heard)
        assert (name, sorted(data["kinds"])) == (
            "hello",
            ["accounts", "limits", "refusals", "requests", "reservations"],
        )
        await scene.reserve(key, "r-1", total_tokens=10)
        kinds: set[str] = set()
        async for name, data in heard:
            assert name == "changed"
            kinds |= set(data["kinds"])
            if {"limits", "reservations"} <= kinds:
                break
        assert "requests" not in kinds


async def test_the_stream_ends_with_its_session(database_url: str) -> None:
    async with running(database_url, event_heartbeat_seconds=0.1) as dashboard, dashboard.signed_in() as operator:
        async with aclosing(events(operator)) as heard:
            await anext(heard)
            assert (await anext(heard))[0] == "heartbeat"
            assert (await operator.post("/api/auth/logout")).status_code == 204
            rest = [event async for event in heard if event[0] != "heartbeat"]
        assert rest == [("ended", {"reason": "session"})]


async def test_an_open_stream_does_not_keep_its_session_from_idling_out(database_url: str) -> None:
    async with (
        running(database_url, event_heartbeat_seconds=0.1, session_idle_seconds=1) as dashboard,
        dashboard.signed_in() as operator,
    ):
        async with aclosing(events(operator)) as heard:
            assert [event async for event in heard][-1] == ("ended", {"reason": "session"})


async def test_further_streams_are_refused_and_one_that_closes_makes_room(database_url: str) -> None:
    async with running(database_url, event_streams_max=1) as dashboard, dashboard.signed_in() as operator:
        async with aclosing(events(operator)) as heard:
            await anext(heard)
            refused = await operator.get("/api/events")
            assert code_of(refused) == (429, "streams_busy")
            assert refused.headers["retry-after"]
        await eventually(lambda: _opens(operator))


async def _opens(operator: httpx2.AsyncClient) -> bool:
    async with operator.stream("GET", "/api/events") as answer:
        return answer.status_code == 200


async def test_a_service_that_stops_says_so(database_url: str) -> None:
    async with running(database_url) as dashboard, dashboard.signed_in() as operator:
        async with aclosing(events(operator)) as heard:
            await anext(heard)
            await dashboard.services.live.close()
            assert [event async for event in heard] == [("ended", {"reason": "stopping"})]


async def test_a_stream_outlives_the_time_that_a_body_may_take(database_url: str) -> None:
    settings = {"body_seconds_max": 0.1, "event_heartbeat_seconds": 0.2}
    async with quotad(database_url) as daemon, operating(daemon, database_url, **settings) as scene:
        async with aclosing(events(scene.operator)) as heard:
            assert [(await anext(heard))[0] for _ in range(3)] == ["hello", "heartbeat", "heartbeat"]
