"""quotad away: refused, unless the key's owner lets it go on; then charged later, and never free."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from proxy.requests.outage import PROBE_SECONDS, Outage, may_serve
from quotad.client.types import (
    ApiKey,
    CreatedKey,
    KeyPolicies,
    OnQuotadUnavailable,
    UnavailableAllowance,
)
from tests.proxy.requests.scene import HASTY, LIMIT, REQUEST, STREAM, Scene, open_scene, static
from tests.proxy.settlement.ledger import kept
from tests.support.daemons import limit, quotad
from tests.support.waiting import eventually

NOW = datetime(2026, 5, 1, tzinfo=UTC)
ALLOWANCE = UnavailableAllowance(requests=2, seconds=3600)
OPEN = KeyPolicies(on_quotad_unavailable=OnQuotadUnavailable.OPEN, unavailable_allowance=ALLOWANCE)
SECRET = "sk-quota-abcd-and-more"
KEY = ApiKey("key_1", "default", "alice", "sk-quota-abcd", (), NOW, NOW, "1", policies=OPEN)
AWAY: dict[str, Any] = {**HASTY, "key_cache_seconds": 0.1, "settle_stop_seconds": 0.1, "settle_retry_seconds_max": 0.2}


@pytest.mark.parametrize(
    ("change", "served"),
    [
        ({}, True),
        ({"policies": KeyPolicies()}, False),
        ({"disabled": True}, False),
        ({"delete_time": NOW}, False),
        ({"expire_time": NOW}, False),
        ({"expire_time": NOW + timedelta(seconds=1)}, True),
        ({"allowed_models": ("gpt-5*",)}, True),
        ({"allowed_models": ("gpt-4",)}, False),
        ({"old_secrets_expire_time": NOW}, True),
        ({"old_secrets_expire_time": NOW, "secret_prefix": "sk-quota-wxyz"}, False),
        ({"old_secrets_expire_time": NOW + timedelta(hours=1), "secret_prefix": "sk-quota-wxyz"}, True),
    ],
)
def test_only_a_key_that_would_be_admitted_goes_on(change: dict[str, Any], served: bool) -> None:  # noqa: FBT001
    assert may_serve(replace(KEY, **change), SECRET, "gpt-5.1", NOW) is served


def test_the_allowance_is_so_many_requests_in_any_so_many_seconds() -> None:
    outage, allowance = Outage(), UnavailableAllowance(requests=2, seconds=10)
    taken = []
    for now in (0, 9, 9.9, 10, 10.1, 18.9, 19):
        taken.append(outage.has_room("key", allowance, now))
        if taken[-1]:
            outage.count("key", now)
    assert taken == [True, True, False, True, False, False, True]
    assert outage.has_room("other", allowance, 19)
    assert not outage.has_room("other", None, 19)


def test_quotad_is_asked_again_soon() -> None:
    outage = Outage()
    assert not outage.is_known(0)
    outage.note_failure(100)
    assert outage.is_known(100 + PROBE_SECONDS / 2)
    assert not outage.is_known(100 + PROBE_SECONDS)
    outage.note_failure(200)
    outage.note_answer()
    assert not outage.is_known(200)


async def open_key(scene: Scene, policies: KeyPolicies = OPEN) -> CreatedKey:
    """A key that this worker knows, since it has served it once."""
    async with scene.daemon.admin() as admin:
        key = await admin.create_api_key("open", limits=(limit(max_value=LIMIT),), policies=policies)
    assert (await scene.post(key=key)).status_code == 200
    return key


async def test_a_key_that_may_goes_on_within_its_allowance_and_is_charged_later(
    database_url: str, tmp_path: Path
) -> None:
    """B5, S1: with what the upstream reported, once, when quotad is back."""
    async with open_scene(database_url, tmp_path, static(), **AWAY) as scene:
        key = await open_key(scene)
        await scene.daemon.stop()
        answers = [await scene.post(body, key=key) for body in (STREAM, {**STREAM, "stream": False}, STREAM)]
        assert [answer.status_code for answer in answers] == [200, 200, 503]
        ids = {answer.headers["x-quota-reservation-id"] for answer in answers[:2]}
        assert ids <= set(kept(tmp_path / "outbox"))
        async with quotad(database_url, listen=scene.daemon.address):
            await eventually(lambda: not kept(tmp_path / "outbox"))
            reported = [entry.usage.input_tokens + entry.usage.output_tokens for entry in scene.entries if entry.usage]
            assert len(reported) == 3
            assert await scene.counters() == (0, sum(reported))
            for answer in answers[:2]:
                reservation = await scene.reservation_of(answer)
                assert (reservation["state"], reservation["basis"]) == ("finalized", "reported")
                assert reservation["unreserved"]


async def test_other_keys_and_unknown_ones_are_refused_meanwhile(database_url: str, tmp_path: Path) -> None:
    """S7"""
    async with open_scene(database_url, tmp_path, static(), **AWAY) as scene:
        closed = await open_key(scene, KeyPolicies())
        async with scene.daemon.admin() as admin:
            unseen = await admin.create_api_key("unseen", limits=(limit(),), policies=OPEN)
        await scene.daemon.stop()
        for key in (closed, unseen):
            refused = await scene.post(key=key)
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "quota_unavailable")
        assert len(scene.entries) == 1


async def test_a_model_without_a_price_is_not_served_where_cost_is_limited(database_url: str, tmp_path: Path) -> None:
    """B8: it would be charged no cost, whatever it used."""
    async with open_scene(database_url, tmp_path, static(), **AWAY) as scene:
        limits = (limit(max_value=LIMIT), limit("cost_microusd", LIMIT, model_pattern="demo-unpriced"))
        async with scene.daemon.admin() as admin:
            key = await admin.create_api_key("open", limits=limits, policies=OPEN)
        assert (await scene.post(key=key)).status_code == 200
        await scene.daemon.stop()
        assert (await scene.post({**REQUEST, "model": "demo-unpriced"}, key=key)).status_code == 503
        assert (await scene.post(key=key)).status_code == 200


async def test_a_description_that_is_too_old_serves_nobody(database_url: str, tmp_path: Path) -> None:
    async with open_scene(database_url, tmp_path, static(), **AWAY, key_stale_seconds=0.2) as scene:
        key = await open_key(scene)
        await scene.daemon.stop()
        await eventually(lambda: refused_by(scene, key))


async def refused_by(scene: Scene, key: CreatedKey) -> bool:
    return (await scene.post(key=key)).status_code == 503


async def test_what_was_served_nothing_is_not_charged(database_url: str, tmp_path: Path) -> None:
    """S12"""
    async with open_scene(database_url, tmp_path, static(), **AWAY) as scene:
        key = await open_key(scene)
        _, used = await scene.counters()
        await scene.daemon.stop()
        assert (await scene.post(STREAM, behaviour="400", key=key)).status_code == 400
        async with quotad(database_url, listen=scene.daemon.address):
            await eventually(lambda: not kept(tmp_path / "outbox"))
            assert await scene.counters() == (0, used)


async def test_a_reserve_whose_reply_was_lost_is_charged_as_that_reservation(database_url: str, tmp_path: Path) -> None:
    """S7: the same id, so that what may be held is charged and not held on."""
    async with open_scene(database_url, tmp_path, static(), **AWAY) as scene:
        key = await open_key(scene)
        async with scene.daemon.windows_locked():
            answer = await scene.post(key=key)
            assert answer.status_code == 200
        await eventually(lambda: not kept(tmp_path / "outbox"))
        reservation = await scene.reservation_of(answer)
        assert (reservation["state"], reservation["basis"]) == ("finalized", "reported")
        assert (await scene.counters())[0] == 0


async def test_nobody_is_served_without_a_hold_and_without_an_outbox(database_url: str, tmp_path: Path) -> None:
    """B5: what cannot be written down would be free if the worker died."""
    (tmp_path / "file").touch()
    async with open_scene(database_url, tmp_path, static(), **AWAY, outbox_dir=tmp_path / "file" / "x") as scene:
        key = await open_key(scene)
        assert scene.worker.runner.notes[0].startswith("outbox unusable: ")
        await scene.daemon.stop()
        assert (await scene.post(key=key)).status_code == 503
        assert len(scene.entries) == 1


async def test_a_full_memory_closes_admission(database_url: str, tmp_path: Path) -> None:
    """B5: with a disk that takes nothing, undelivered settlements are bounded all the same."""
    (tmp_path / "file").touch()
    settings = {**AWAY, "outbox_dir": tmp_path / "file" / "x", "settlements_max": 1, "settle_wait_seconds": 0.1}
    async with open_scene(database_url, tmp_path, static(), **settings) as scene:
        async with scene.streaming(behaviour="slow;ms=20", words=5) as response:
            lines = response.aiter_lines()
            await anext(lines)
            await scene.daemon.stop()
            assert "event: response.completed" in [line async for line in lines]
        refused = await scene.post()
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "server_is_overloaded")
        async with quotad(database_url, listen=scene.daemon.address):
            assert (await scene.the_reservation())["basis"] == "reported"
