"""Rate limits, against a real quotad; the headers against those of the proxy."""

from __future__ import annotations

from proxy.http.headers import limit_headers
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
