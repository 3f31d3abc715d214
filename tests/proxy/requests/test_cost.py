"""Limits on cost: what a request holds, what it is charged, and what becomes of a model that nobody has a price for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from quotad.client.types import CreatedKey, KeyPolicies, Limit, OnMissingUsage, OnUnknownPrice, TokenPrice
from tests.proxy.requests.scene import MODEL, REQUEST, STREAM, Scene, cost_microusd, open_scene, static
from tests.support.daemons import limit

UNPRICED = "demo-unpriced"
UNPRICED_REQUEST: Mapping[str, Any] = {**REQUEST, "model": UNPRICED}
HELD_MICROUSD = math.ceil(5 * 1.25 + 4096 * 10)
COST = "cost_microusd"


async def cost_key(scene: Scene, max_value: int = 1_000_000, *, policies: KeyPolicies | None = None) -> CreatedKey:
    """A key that may cost so much a day."""
    return await key_with(scene, limit(COST, max_value), policies=policies)


async def key_with(scene: Scene, *limits: Limit, policies: KeyPolicies | None = None) -> CreatedKey:
    async with scene.daemon.admin() as admin:
        return await admin.create_api_key("carol", limits=limits, policies=policies or KeyPolicies())


def cost_of(scene: Scene) -> int:
    """What the upstream's own book says that all answers cost together, each rounded up."""
    return sum(cost_microusd(entry.usage) for entry in scene.entries if entry.usage)


async def test_a_request_holds_the_most_and_is_charged_what_it_cost(scene: Scene) -> None:
    response = await scene.post(STREAM, key=await cost_key(scene))
    reservation = await scene.reservation_of(response)
    assert reservation["requested"][COST] == HELD_MICROUSD
    assert reservation["actual"][COST] == cost_of(scene)
    assert await scene.counters() == (0, cost_of(scene))


async def test_cached_input_is_cheaper(scene: Scene) -> None:
    body = {**REQUEST, "input": "many words " * 100, "prompt_cache_key": "k"}
    reservation = await scene.reservation_of(await scene.post(body, key=await cost_key(scene)))
    [usage] = [entry.usage for entry in scene.entries if entry.usage]
    assert usage.cached_input_tokens > 100
    assert reservation["actual"][COST] == cost_of(scene)


async def test_a_limit_on_cost_admits_until_it_is_used_up_and_then_refuses(scene: Scene) -> None:
    key = await cost_key(scene, max_value=7000)
    body = {**REQUEST, "max_output_tokens": 300}
    assert (await scene.post(body, words=300, key=key)).status_code == 200
    assert (await scene.post(body, words=300, key=key)).status_code == 200
    refused = await scene.post(body, words=300, key=key)
    error = refused.json()["error"]
    assert (refused.status_code, error["code"]) == (429, "insufficient_quota")
    assert f"cost_microusd per day: Limit 7000, Used {cost_of(scene)}, Held 0" in error["message"]
    assert await scene.counters() == (0, cost_of(scene))


async def test_every_attempts_report_is_paid_for(two_accounts: Scene) -> None:
    """B4"""
    two_accounts.misbehave("failed;after=0;usage=yes")
    await two_accounts.post(STREAM, key=await cost_key(two_accounts))
    assert len([entry for entry in two_accounts.entries if entry.usage]) == 2
    cost = (await two_accounts.the_reservation())["actual"][COST]
    assert 0 <= cost_of(two_accounts) - cost <= 1


@pytest.mark.parametrize("policy", list(OnMissingUsage))
async def test_without_a_report_the_cost_follows_the_keys_policy(scene: Scene, policy: OnMissingUsage) -> None:
    """S13"""
    key = await cost_key(scene, policies=KeyPolicies(on_missing_usage=policy))
    actual = (await scene.reservation_of(await scene.post(STREAM, behaviour="no_usage", key=key)))["actual"]
    match policy:
        case OnMissingUsage.RELEASE:
            assert COST not in actual
        case OnMissingUsage.RESERVED:
            assert actual[COST] == HELD_MICROUSD
        case OnMissingUsage.ESTIMATE:
            assert actual[COST] == math.ceil(actual["input_tokens"] * 1.25 + actual["output_tokens"] * 10)


async def test_a_hold_is_clipped_to_the_money_that_is_left(scene: Scene) -> None:
    """Q3: the least output fits, so the request is served."""
    key = await cost_key(scene, max_value=HELD_MICROUSD // 2)
    response = await scene.post(key=key)
    assert response.status_code == 200
    reservation = await scene.reservation_of(response)
    assert (reservation["reserved"][COST], reservation["reserved"]["output_tokens"]) == (HELD_MICROUSD // 2, 4096)


async def test_a_request_never_fits_only_if_its_least_output_costs_too_much(scene: Scene) -> None:
    least = math.ceil(5 * 1.25 + 256 * 10)
    just_enough = await cost_key(scene, max_value=least)
    assert (await scene.post(key=just_enough)).status_code == 200
    refused = await scene.post(key=await cost_key(scene, max_value=least - 1))
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert (refused.headers["x-should-retry"], refused.headers.get("retry-after")) == ("false", None)


async def test_a_model_without_a_price_is_refused_where_cost_is_limited(scene: Scene) -> None:
    """B8"""
    response = await scene.post(UNPRICED_REQUEST, key=await cost_key(scene))
    error = response.json()["error"]
    assert response.status_code == 400
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", "model_price_unknown", "model")
    assert (await scene.reservations(), scene.entries, await scene.counters()) == ([], (), (0, 0))
    assert (await scene.the_row())["error_code"] == "model_price_unknown"


async def test_a_limit_on_the_cost_of_other_models_is_in_nobodys_way(scene: Scene) -> None:
    """B8"""
    key = await key_with(scene, limit(COST, 1, model_pattern="gpt-*"))
    assert (await scene.post(UNPRICED_REQUEST, key=key)).status_code == 200


async def test_a_limit_on_the_cost_of_a_group_counts_too(scene: Scene) -> None:
    """B8"""
    async with scene.daemon.admin() as admin:
        group = await admin.create_group("team", limits=(limit(COST, 1_000_000),))
        key = await admin.create_api_key("dave", group_id=group.group_id)
    response = await scene.post(UNPRICED_REQUEST, key=key)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "model_price_unknown")
    assert (await scene.reservation_of(await scene.post(key=key)))["actual"][COST] == cost_of(scene)


async def test_a_limit_that_was_made_a_moment_ago_counts_too(scene: Scene) -> None:
    """B8: what the ledger knows decides, not what the worker remembers of the key."""
    assert (await scene.post(UNPRICED_REQUEST)).status_code == 200
    async with scene.daemon.admin() as admin:
        key = await admin.get_api_key(scene.key.api_key.api_key_id)
        await admin.update_api_key(key.api_key.api_key_id, etag=key.api_key.etag, limits=(limit(COST, 1000),))
    response = await scene.post(UNPRICED_REQUEST)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "model_price_unknown")


async def test_a_key_with_a_default_price_holds_and_charges_it(scene: Scene) -> None:
    """B8"""
    default = KeyPolicies(on_unknown_price=OnUnknownPrice.DEFAULT, default_price=TokenPrice(3_000_000, 4_000_000))
    reservation = await scene.reservation_of(
        await scene.post(UNPRICED_REQUEST, key=await cost_key(scene, policies=default))
    )
    assert reservation["requested"][COST] == 5 * 3 + 4096 * 4
    actual = reservation["actual"]
    assert actual[COST] == actual["input_tokens"] * 3 + actual["output_tokens"] * 4


async def test_without_a_limit_on_cost_it_is_recorded_where_it_is_known(scene: Scene) -> None:
    """B8: and left out where it is not, never zero."""
    known = await scene.reservation_of(await scene.post())
    assert known["actual"][COST] == cost_of(scene)
    unknown = await scene.reservation_of(await scene.post(UNPRICED_REQUEST))
    assert (unknown["state"], COST in unknown["actual"]) == ("finalized", False)


@pytest.mark.parametrize("tier", ["priority", "x" * 100_000, 5, None, ["priority"]])
async def test_the_service_tier_that_is_asked_for_is_held(scene: Scene, tier: Any) -> None:
    response = await scene.post({**REQUEST, "service_tier": tier}, key=await cost_key(scene))
    twice = 2 if tier == "priority" else 1
    assert (await scene.reservation_of(response))["requested"][COST] == math.ceil((5 * 1.25 + 4096 * 10) * twice)


async def test_the_operators_prices_win(database_url: str, tmp_path: Path) -> None:
    prices = '{"gpt-5*": {"input": 100, "output": 200}, "demo-*": {"input": "0.5", "output": 1}}'
    async with open_scene(database_url, tmp_path, static(), prices=prices) as scene:
        key = await cost_key(scene)
        own = (await scene.reservation_of(await scene.post(key=key)))["actual"]
        assert own[COST] == own["input_tokens"] * 100 + own["output_tokens"] * 200
        priced = (await scene.reservation_of(await scene.post(UNPRICED_REQUEST, key=key)))["actual"]
        assert priced[COST] == math.ceil(priced["input_tokens"] / 2 + priced["output_tokens"])


async def test_the_error_of_holds_is_counted_by_model(scene: Scene) -> None:
    def counted(name: str, model: str = MODEL, metric: str = "output_tokens") -> float:
        return REGISTRY.get_sample_value(f"proxy_{name}_amounts_total", {"model": model, "metric": metric}) or 0.0

    held, over, under = counted("held"), counted("over_held"), counted("under_held")
    await scene.post({**REQUEST, "max_output_tokens": 100}, words=30)
    await scene.idle()
    assert (counted("held") - held, counted("over_held") - over, counted("under_held") - under) == (100, 70, 0)
