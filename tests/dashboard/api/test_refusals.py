"""Refusals, against a real quotad."""

from __future__ import annotations

from typing import Any

from quotad.client.types import Limit, Window, WindowKind
from tests.dashboard.operating import Operating
from tests.dashboard.world import code_of
from tests.support.daemons import limit
from tests.support.waiting import eventually


async def refusals(scene: Operating, **query: Any) -> dict[str, Any]:
    """Once they are written: a daemon does it each second."""
    await eventually(lambda: _has_refusals(scene))
    return dict(await scene.get("/api/refusals", **query))


async def _has_refusals(scene: Operating) -> bool:
    return bool((await scene.get("/api/refusals"))["refused"])


async def test_a_refusing_limit_is_told_with_whom_how_often_and_samples(scene: Operating) -> None:
    key = await scene.key("alice", limit("total_tokens", 1000))
    await scene.reserve(key, "r-1", total_tokens=900)
    for number in range(3):
        await scene.refuse(key, f"no-{number}", total_tokens=200)
    answer = await refusals(scene)
    [refused] = answer["limits"]
    assert (answer["refused"], answer["limitCount"], answer["isComplete"]) == (3, 1, True)
    assert refused["owner"] == {"kind": "api_key", "id": key.api_key.api_key_id, "name": "alice"}
    assert (refused["metric"], refused["window"], refused["refused"]) == ("total_tokens", "day", 3)
    assert [(of_key["apiKeyName"], of_key["refused"]) for of_key in refused["keys"]] == [("alice", 3)]
    assert sum(point["refused"] for point in refused["points"]) == 3
    sample = refused["samples"][0]
    assert (sample["used"], sample["held"], sample["requested"], sample["maxValue"]) == (0, 900, 200, 1000)
    assert (sample["blockedBy"], sample["fit"], sample["model"]) == ("held", "when_released", "gpt-5.1")


async def test_what_fits_meanwhile_says_so_and_what_never_fits_does_too(scene: Operating) -> None:
    key = await scene.key("alice", limit("total_tokens", 1000))
    await scene.reserve(key, "r-1", total_tokens=900)
    await scene.refuse(key, "no", total_tokens=200)
    await scene.refuse(key, "never", total_tokens=2000)
    async with scene.daemon.data() as client:
        await client.release("r-1")
    [refused] = (await refusals(scene))["limits"]
    assert {sample["requested"]: sample["fit"] for sample in refused["samples"]} == {200: "now", 2000: "never"}


async def test_what_is_used_up_fits_at_the_reset(scene: Operating) -> None:
    key = await scene.key("alice", limit("total_tokens", 1000))
    await scene.reserve(key, "r-1", total_tokens=900)
    async with scene.daemon.data() as client:
        await client.finalize("r-1", amounts={"total_tokens": 950})
    await scene.refuse(key, "no", total_tokens=200)
    [refused] = (await refusals(scene))["limits"]
    [sample] = refused["samples"]
    assert (sample["fit"], sample["fitTime"]) == ("at_reset", refused["status"]["resetTime"])


async def test_filters_narrow_and_a_limit_that_is_gone_is_told(scene: Operating) -> None:
    first = await scene.key("first", limit("total_tokens", 10))
    second = await scene.key("second", Limit("requests", Window(WindowKind.LIFETIME), 0))
    await scene.refuse(first, "a", total_tokens=11)
    await scene.refuse(second, "b")
    await eventually(lambda: _many(scene, 2))
    only = await scene.get("/api/refusals", apiKeyId=second.api_key.api_key_id)
    assert [refused["metric"] for refused in only["limits"]] == ["requests"]
    async with scene.daemon.admin() as admin:
        await admin.update_api_key(second.api_key.api_key_id, limits=[])
    [gone] = (await scene.get("/api/refusals", limitId=only["limits"][0]["limitId"]))["limits"]
    assert gone["status"] is None
    assert gone["samples"][0]["fit"] == "removed"
    past = {"since": "2020-01-01T00:00:00Z", "until": "2020-01-02T00:00:00Z"}
    assert (await scene.get("/api/refusals", **past))["limits"] == []


async def _many(scene: Operating, refused: int) -> bool:
    return bool((await scene.get("/api/refusals"))["refused"] == refused)


async def test_a_range_that_makes_no_sense_is_named(scene: Operating) -> None:
    for query in (
        "since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z",
        "since=2000-01-01T00:00:00Z",
        "limitId=x",
        "enforcement=none",
        "since=0001-01-01T00:00:00Z&until=9999-01-01T00:00:00Z",
    ):
        assert code_of(await scene.operator.get(f"/api/refusals?{query}")) == (400, "invalid_request"), query


async def test_every_minute_comes_as_a_row_of_a_file(scene: Operating) -> None:
    key = await scene.key("alice", limit("total_tokens", 10))
    await scene.refuse(key, "a", total_tokens=11)
    await refusals(scene)
    [row] = (await scene.operator.get("/api/refusals/export?format=json")).json()
    assert (row["apiKeyName"], row["ownerName"], row["refused"], row["maxValue"]) == ("alice", "alice", 1, 10)
