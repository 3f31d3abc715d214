"""The operator's settings over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2

from proxy.records.settings import OperatorSettings, RoutingStrategy, read_settings
from tests.dashboard.world import Dashboard, code_of

DEFAULTS: dict[str, Any] = {
    "version": 0,
    "routingStrategy": "usage_weighted",
    "sticky": True,
    "hidePoolLimits": False,
    "requestLogRetentionDays": 30,
    "priceOverrides": {},
}
PRICES = {"gpt-5*": {"input": "1.25", "output": "10", "cachedInput": None}}


async def put(operator: httpx2.AsyncClient, **changes: Any) -> httpx2.Response:
    return await operator.put("/api/settings", json={**DEFAULTS, **changes})


async def test_settings_that_nobody_stored_are_the_defaults_of_version_0(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator:
        assert (await operator.get("/api/settings")).json() == DEFAULTS


async def test_what_is_put_is_what_the_proxies_read(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator:
        answer = await put(operator, routingStrategy="round_robin", hidePoolLimits=True, priceOverrides=PRICES)
        assert answer.status_code == 200, answer.text
        assert answer.json()["version"] == 1
        assert answer.json()["priceOverrides"] == PRICES
        assert (await operator.get("/api/settings")).json() == answer.json()
    async with dashboard.services.database.transaction() as connection:
        stored = await read_settings(connection, OperatorSettings(sticky=False))
    assert stored.version == 1
    assert (stored.settings.routing_strategy, stored.settings.sticky) == (RoutingStrategy.ROUND_ROBIN, True)


async def test_an_edit_on_stale_settings_changes_nothing(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator:
        assert (await put(operator, sticky=False)).json()["version"] == 1
        for version in (0, 2):
            answer = await put(operator, version=version, sticky=True)
            assert code_of(answer) == (409, "settings_conflict")
        assert (await put(operator, version=1, sticky=True)).json()["version"] == 2


async def test_of_several_edits_at_a_time_one_is_made(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator:
        for version in (0, 1):
            answers = await asyncio.gather(
                *(put(operator, version=version, requestLogRetentionDays=days) for days in (5, 6, 7, 8))
            )
            assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]


async def test_settings_that_cannot_be_are_refused(dashboard: Dashboard) -> None:
    wrong: list[dict[str, Any]] = [
        {"routingStrategy": "random"},
        {"sticky": None},
        {"requestLogRetentionDays": 0},
        {"requestLogRetentionDays": 100_000},
        {"version": -1},
        {"version": 2**70},
        {"more": 1},
        {"priceOverrides": {"": PRICES["gpt-5*"]}},
        {"priceOverrides": {"a*b": PRICES["gpt-5*"]}},
        {"priceOverrides": {"a": {"input": "-1", "output": "1"}}},
        {"priceOverrides": {"a": {"input": "NaN", "output": "1"}}},
        {"priceOverrides": {"a": {"input": "1e99", "output": "1"}}},
        {"priceOverrides": {f"model-{number}": PRICES["gpt-5*"] for number in range(1001)}},
    ]
    async with dashboard.signed_in() as operator:
        for changes in wrong:
            assert code_of(await put(operator, **changes)) == (400, "invalid_request"), str(changes)[:100]
        assert (await operator.get("/api/settings")).json() == DEFAULTS


async def test_settings_that_are_stored_wrongly_are_told_as_such(dashboard: Dashboard) -> None:
    await dashboard.execute("INSERT INTO proxy.settings (version, content) VALUES (1, '{\"sticky\": 3}')")
    async with dashboard.signed_in() as operator:
        assert code_of(await operator.get("/api/settings")) == (503, "settings_unreadable")
