"""The overview, against a real quotad and a log with rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dashboard.api.overview import bucket_of
from dashboard.holding import by_age
from proxy.records.changes import listening, listening_proxies
from proxy.records.reports import Bucket
from proxy.records.write import insert_request_logs
from servicekit.database import create_engine
from tests.dashboard.operating import Operating
from tests.dashboard.world import Dashboard, code_of
from tests.proxy.records.rows import a_row
from tests.support.daemons import limit
from tests.support.waiting import eventually


async def test_requests_tokens_cost_errors_and_refusals_are_told_over_time(scene: Operating) -> None:
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)
    rows = [
        a_row(start_time=hour, total_tokens=30, cost_microusd=5),
        a_row(start_time=hour + timedelta(minutes=59), status="error"),
        a_row(start_time=hour + timedelta(hours=1), status="quota", total_tokens=None),
        a_row(start_time=hour - timedelta(days=2)),
    ]
    async with scene.dashboard.services.database.transaction() as connection:
        await insert_request_logs(connection, rows)
    overview = await scene.get("/api/overview")
    assert overview["spanSeconds"] == 3600
    assert [
        (point["time"], point["requestCount"], point["errorCount"], point["refusedCount"])
        for point in overview["points"]
    ] == [(said(hour), 2, 1, 0), (said(hour + timedelta(hours=1)), 1, 0, 1)]
    assert (overview["usage"]["requestCount"], overview["usage"]["costMicrousd"]) == (3, 5)
    narrow = await scene.get("/api/overview", since=said(hour), until=said(hour + timedelta(minutes=30)))
    assert (narrow["spanSeconds"], narrow["usage"]["requestCount"]) == (60, 1)


def said(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


async def test_the_fullest_limits_the_oldest_holds_and_who_is_refused_are_told(scene: Operating) -> None:
    key = await scene.key("alice", limit("total_tokens", 100))
    await scene.reserve(key, "r-1", total_tokens=90)
    await scene.refuse(key, "no", total_tokens=20)

    async def is_written() -> bool:
        return bool((await scene.get("/api/overview"))["ledger"]["refusing"])

    await eventually(is_written)
    ledger = (await scene.get("/api/overview"))["ledger"]
    assert [(row["owner"]["name"], row["utilisation"]) for row in ledger["limits"]] == [("alice", 0.9)]
    assert [(row["owner"]["name"], row["refused"]) for row in ledger["refusing"]] == [("alice", 1)]
    holds = ledger["holds"]
    assert (holds["count"], holds["isComplete"], sum(group["count"] for group in holds["byAge"])) == (1, True, 1)
    assert [held["reservationId"] for held in holds["oldest"]] == ["r-1"]


async def test_health_is_told_and_without_quotad_the_rest_is_shown(scene: Operating, dashboard: Dashboard) -> None:
    health = {part["part"]: part for part in (await scene.get("/api/overview"))["health"]}
    assert (health["quotad"]["isWell"], health["database"]["isWell"], health["proxies"]["isWell"]) == (
        True,
        True,
        False,
    )
    assert health["quotad"]["latencyMs"] >= 0
    async with dashboard.signed_in() as operator:
        overview = (await operator.get("/api/overview")).json()
    assert overview["ledger"] is None
    assert [part["isWell"] for part in overview["health"] if part["part"] == "quotad"] == [False]


async def test_each_proxy_that_follows_changes_is_counted(database_url: str, dashboard: Dashboard) -> None:
    engine = create_engine(database_url, application_name="quota-proxy")
    try:
        async with listening(engine), listening(engine):
            async with dashboard.services.database.transaction() as connection:
                assert await listening_proxies(connection) == 2
    finally:
        await engine.dispose()


async def test_a_range_that_makes_no_sense_is_named(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator:
        for query in ("since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z", "since=2000-01-01T00:00:00Z"):
            answer = await operator.get(f"/api/overview?{query}")
            assert code_of(answer) == (400, "invalid_request"), query
            assert answer.json()["error"]["field"] == "since"


@pytest.mark.parametrize(
    ("length", "bucket"),
    [
        (timedelta(minutes=15), Bucket.MINUTE),
        (timedelta(hours=6), Bucket.MINUTE),
        (timedelta(days=1), Bucket.HOUR),
        (timedelta(days=7), Bucket.HOUR),
        (timedelta(days=30), Bucket.DAY),
    ],
)
def test_a_chart_has_some_hundred_points_at_most(length: timedelta, bucket: Bucket) -> None:
    assert bucket_of(length) is bucket
    assert length.total_seconds() / bucket <= 400


def test_holds_are_grouped_by_age() -> None:
    assert by_age([0, 59, 60, 299, 1800, 90_000]) == ((0, 2), (60, 2), (300, 0), (1800, 2))
    assert by_age([]) == ((0, 0), (60, 0), (300, 0), (1800, 0))
