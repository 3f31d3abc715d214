"""Rate limits, against a real quotad; the headers against those of the proxy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from proxy.http.headers import limit_headers
from proxy.records import write
from proxy.records.accounts import ApiKeyCredentials, NewAccount
from proxy.records.secrets import load_secret_box
from proxy.records.usage import AccountUsage, SampleSource, WindowUsage
from proxy.records.usage_samples import insert_samples
from quotad.client.types import Enforcement, Limit, Window, WindowKind
from tests.dashboard.operating import Operating
from tests.dashboard.world import code_of
from tests.support.daemons import limit


async def test_limits_are_listed_the_fullest_first(scene: Operating) -> None:
    """U3"""
    calm, busy = await scene.key("calm"), await scene.key("busy", limit("total_tokens", 100))
    await scene.reserve(calm, "r-1", total_tokens=10)
    await scene.reserve(busy, "r-2", total_tokens=90)
    answer = await scene.get("/api/rate-limits")
    assert [(row["owner"]["name"], row["utilisation"], row["available"]) for row in answer["limits"]] == [
        ("busy", 0.9, 10),
        ("calm", 0.01, 990),
    ]
    first = await scene.get("/api/rate-limits", pageSize=1)
    second = await scene.get("/api/rate-limits", pageSize=1, pageToken=first["nextPageToken"])
    assert second["limits"] == answer["limits"][1:]
    own = await scene.get("/api/rate-limits", ownerId=calm.api_key.api_key_id, order="reset")
    assert [row["owner"]["name"] for row in own["limits"]] == ["calm"]
    assert len((await scene.operator.get("/api/rate-limits/export?format=json")).json()) == 2


async def test_the_headers_are_those_that_a_proxy_sends(scene: Operating) -> None:
    """U3"""
    watched = Limit("requests", Window(WindowKind.HOUR), 5, enforcement=Enforcement.SHADOW)
    key = await scene.key(
        "alice", limit("total_tokens", 1000), limit("requests", 60), limit("output_tokens", 7, "o*"), watched
    )
    await scene.reserve(key, "r-1", input_tokens=10, output_tokens=2)
    async with scene.daemon.data() as client:
        described = await client.describe_key(api_key=key.secret)
    path, key_id = "/api/rate-limits/headers", key.api_key.api_key_id
    shown = await scene.get(path, apiKeyId=key_id)
    sent = dict(limit_headers(described.limits, described.server_time))
    headers = {line["name"]: line["value"] for line in shown["headers"]}
    assert headers.keys() == sent.keys()
    assert headers["x-ratelimit-remaining-tokens"] == sent["x-ratelimit-remaining-tokens"] == "7"
    assert headers["x-ratelimit-remaining-requests"] == "59"
    of_model = await scene.get(path, apiKeyId=key_id, model="gpt-5.1")
    assert {line["name"]: line["value"] for line in of_model["headers"]}["x-ratelimit-remaining-tokens"] == "988"


async def test_the_headers_of_no_key_are_not_found(scene: Operating) -> None:
    answer = await scene.operator.get("/api/rate-limits/headers?apiKeyId=none")
    assert code_of(answer) == (404, "resource_not_found")
    assert code_of(await scene.operator.get("/api/rate-limits/headers")) == (400, "invalid_request")


async def test_accounts_windows_are_told_with_the_age_of_their_sample(scene: Operating, tmp_path: Path) -> None:
    """U3"""
    now = datetime.now(UTC)
    primary = WindowUsage(40.0, 300, now + timedelta(hours=1), now - timedelta(minutes=2), SampleSource.HEADERS)
    over = WindowUsage(90.0, None, now - timedelta(minutes=1), now - timedelta(hours=1), SampleSource.FETCH)
    added = NewAccount("mine", "https://api.openai.com/v1", ApiKeyCredentials("sk-1"))
    async with scene.dashboard.services.database.transaction() as connection:
        account_id = await write.add_account(connection, added, load_secret_box(tmp_path / "key"))
        await insert_samples(connection, account_id, AccountUsage(primary=primary, secondary=over))
    first, second = (await scene.get("/api/rate-limits"))["accountWindows"]
    assert (first["accountName"], first["window"], first["usedPercent"], first["windowSeconds"]) == (
        "mine",
        "primary",
        40.0,
        18_000,
    )
    assert 120 <= first["ageSeconds"] < 180
    assert (second["window"], second["usedPercent"], second["windowSeconds"]) == ("secondary", 0.0, None)
