"""The paths beside the relay, their document, and key auth turned off."""

from __future__ import annotations

from pathlib import Path

from proxy.http.app import create_app
from tests.proxy.http.world import MODEL, World, limit, open_world


async def test_a_key_sees_its_own_limits(world: World) -> None:
    key = await world.create_key(limit("total_tokens", 1000), limit("requests", 5))
    async with world.http(key) as client:
        answer = await client.get("/v1/usage")
        codex = await client.get("/api/codex/usage")
        health = await client.get("/healthz")
    usage = answer.json()
    assert (usage["name"], usage["api_key_id"]) == ("alice", key.api_key.api_key_id)
    assert {(each["metric"], each["window"], each["max_value"]) for each in usage["limits"]} == {
        ("total_tokens", "day", 1000),
        ("requests", "day", 5),
    }
    assert answer.headers["x-ratelimit-remaining-requests"] == "5"
    assert codex.json()["rate_limit"]["primary_window"]["limit_window_seconds"] == 86_400
    assert codex.json()["rate_limit"]["allowed"] is True
    assert health.json() == {"status": "ok"}


async def test_the_paths_of_codex_are_the_same_relay(world: World) -> None:
    key = await world.create_key(limit("requests", 2))
    body = {"model": MODEL, "input": "x"}
    async with world.http(key) as client:
        answers = [
            await client.post("/backend-api/codex/responses", json=body),
            await client.post("/backend-api/codex/responses/compact", json=body),
            await client.post("/backend-api/codex/responses", json=body),
        ]
        models = await client.get("/backend-api/codex/models")
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    error = answers[-1].json()["error"]
    assert (error["type"], error["code"]) == ("usage_limit_reached", "insufficient_quota")
    assert isinstance(error["resets_at"], int)
    assert models.json()["data"]


async def test_an_unsafe_request_id_is_replaced(world: World) -> None:
    async with world.http() as client:
        answer = await client.get("/healthz", headers={"x-request-id": "a b"})
        other = await client.get("/nowhere", headers={"x-request-id": "mine"})
    assert len(answer.headers["x-request-id"]) == 36
    assert other.headers["x-request-id"] == "mine"


async def test_with_key_auth_off_nothing_is_reserved(database_url: str, tmp_path: Path) -> None:
    """S7"""
    async with open_world(database_url, tmp_path, key_auth="off") as world:
        async with world.http() as client:
            answer = await client.post("/v1/responses", json={"model": MODEL, "input": "x"})
            assert (answer.status_code, answer.json()["status"]) == (200, "completed")
            assert "x-quota-reservation-id" not in answer.headers
            assert (await client.get("/v1/models")).status_code == 200
            assert (await client.get("/v1/usage")).status_code == 401
            assert (await client.get("/api/codex/usage")).json()["plan_type"] == "guest"
        [row, _] = await world.rows(2)
        assert (row["settlement"], row["reservation_id"]) == ("none", None)


async def test_the_document_describes_every_path(world: World) -> None:
    document = create_app(world.worker.services).openapi()
    described = {(method, path) for path, methods in document["paths"].items() for method in methods}
    assert described == {
        ("post", "/v1/responses"),
        ("post", "/v1/responses/compact"),
        ("post", "/v1/chat/completions"),
        ("get", "/v1/models"),
        ("get", "/v1/usage"),
        ("post", "/backend-api/codex/responses"),
        ("post", "/backend-api/codex/responses/compact"),
        ("get", "/backend-api/codex/models"),
        ("get", "/api/codex/usage"),
        ("get", "/healthz"),
    }
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert "ErrorAnswer" in document["components"]["schemas"]
