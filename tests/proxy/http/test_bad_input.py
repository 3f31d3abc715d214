"""Each wrong request answers as the contract says, is logged once, and leaves no hold."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
import zstandard
from sqlalchemy import make_url

from quotad.client.admin import AdminClient
from quotad.client.connection import Connection
from quotad.client.types import CreatedKey
from tests.proxy.http.world import ADMIN_TOKEN, MODEL, World, limit, open_world
from tests.support.postgres import Server

GENEROUS = limit("total_tokens", 1_000_000)
BODY = {"model": MODEL, "input": "hello"}


async def post(world: World, key: CreatedKey | None, **request: Any) -> httpx2.Response:
    async with world.http(key) as client:
        return await client.post("/v1/responses", **request)


def error_of(response: httpx2.Response) -> Mapping[str, Any]:
    content: Mapping[str, Any] = response.json()["error"]
    assert {"message", "type", "param", "code"} <= set(content)
    assert isinstance(content["code"], str)
    assert response.headers["x-request-id"]
    return content


async def logged_once(world: World, code: str) -> Mapping[str, Any]:
    rows = await world.rows(1)
    assert [row["error_code"] for row in rows] == [code]
    return rows[0]


@pytest.mark.parametrize("authorization", [None, "Basic abc", "Bearer sk-unknown", "Bearer " + "k" * 5000])
async def test_a_key_that_is_none_is_refused_and_logged_once(world: World, authorization: str | None) -> None:
    headers = {"authorization": authorization} if authorization else {}
    response = await post(world, None, json=BODY, headers=headers)
    assert (response.status_code, error_of(response)["code"]) == (401, "invalid_api_key")
    row = await logged_once(world, "invalid_api_key")
    assert (row["status"], row["http_status"], row["settlement"]) == ("error", 401, "none")
    assert world.demo.upstream.book.entries == ()


@pytest.mark.parametrize("change", [{"disabled": True}, {"expire_time": datetime(2020, 1, 1, tzinfo=UTC)}])
async def test_a_disabled_or_expired_key_is_refused_and_logged_once(world: World, change: dict[str, Any]) -> None:
    key = await world.create_key(GENEROUS)
    async with Connection(world.quotad, ADMIN_TOKEN) as connection:
        await AdminClient(connection, "test").update_api_key(key.api_key.api_key_id, **change)
    response = await post(world, key, json=BODY)
    assert (response.status_code, error_of(response)["code"]) == (401, "invalid_api_key")
    await logged_once(world, "invalid_api_key")
    async with world.http(key) as client:
        assert (await client.get("/v1/usage")).status_code == 401


async def test_a_secret_that_was_replaced_is_refused(world: World) -> None:
    key = await world.create_key(GENEROUS)
    async with Connection(world.quotad, ADMIN_TOKEN) as connection:
        await AdminClient(connection, "test").rotate_api_key(key.api_key.api_key_id)
    response = await post(world, key, json=BODY)
    assert (response.status_code, error_of(response)["code"]) == (401, "invalid_api_key")
    async with world.http(key) as client:
        assert (await client.get("/v1/usage")).status_code == 401


@pytest.mark.parametrize(
    ("content", "param", "code"),
    [
        (b"", None, "invalid_json"),
        (b"{nope", None, "invalid_json"),
        (b"[1]", None, "invalid_type"),
        (b'{"input":"x"}', "model", "missing_required_parameter"),
        (b'{"model":7}', "model", "invalid_type"),
        (b'{"model":"gpt-5.1","max_output_tokens":-1}', "max_output_tokens", "integer_out_of_range"),
    ],
)
async def test_a_wrong_body_names_what_is_wrong(world: World, content: bytes, param: str | None, code: str) -> None:
    key = await world.create_key(GENEROUS)
    response = await post(world, key, content=content)
    assert (response.status_code, error_of(response)["param"]) == (400, param)
    assert response.headers["x-ratelimit-remaining-tokens"] == "1000000"
    row = await logged_once(world, code)
    assert row["api_key_name"] == "alice"
    assert await world.held(key) == 0


async def test_a_body_above_the_cap_or_a_bomb_is_refused(database_url: str, tmp_path: Path) -> None:
    bomb = json.dumps(BODY | {"input": "0" * 300_000}).encode()
    async with open_world(database_url, tmp_path, body_bytes_max=100_000) as world:
        key = await world.create_key(GENEROUS)
        requests: list[dict[str, Any]] = [
            {"content": bomb},
            {"content": gzip.compress(bomb), "headers": {"content-encoding": "gzip"}},
            {"content": zstandard.compress(bomb), "headers": {"content-encoding": "zstd"}},
        ]
        for request in requests:
            response = await post(world, key, **request)
            assert (response.status_code, error_of(response)["code"]) == (413, "request_too_large")
        assert len(await world.rows(3)) == 3
        assert await world.held(key) == 0
        assert world.worker.services.bodies.bytes_held == 0


async def test_a_deep_body_is_no_more_than_a_body(world: World) -> None:
    key = await world.create_key(GENEROUS)
    for depth in (400, 900, 990):
        nested = b"[" * depth + b"]" * depth
        response = await post(world, key, content=b'{"model":"gpt-5.1","input":' + nested + b"}")
        assert response.status_code != 500
    await world.nothing_held(key)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
async def test_a_compressed_body_is_served(world: World, encoding: str) -> None:
    key = await world.create_key(GENEROUS)
    body = json.dumps(BODY).encode()
    content = gzip.compress(body) if encoding == "gzip" else zstandard.compress(body)
    response = await post(world, key, content=content, headers={"content-encoding": encoding})
    assert (response.status_code, response.json()["status"]) == (200, "completed")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("POST", "/v1/embeddings", 404),
        ("POST", "/v1/responses/", 404),
        ("GET", "/v1/models/gpt-5.1", 404),
        ("GET", "/openapi.json", 404),
        ("GET", "/docs", 404),
        ("GET", "/v1/responses", 405),
        ("DELETE", "/v1/models", 405),
        ("OPTIONS", "/v1/usage", 405),
    ],
)
async def test_nothing_passes_unmetered(world: World, method: str, path: str, status: int) -> None:
    key = await world.create_key(GENEROUS)
    for caller in (None, key):
        async with world.http(caller) as client:
            response = await client.request(method, path)
        assert response.status_code == status
        assert error_of(response)["type"] == "invalid_request_error"
        assert ("allow" in response.headers) == (status == 405)


async def test_an_unknown_model_is_the_upstreams_to_refuse_and_is_given_back(world: World) -> None:
    key = await world.create_key(GENEROUS)
    response = await post(world, key, json={"model": "no-such-model", "input": "x"})
    assert (response.status_code, error_of(response)["code"]) == (404, "model_not_found")
    await world.nothing_held(key)
    assert len(await world.rows(1)) == 1


async def test_a_model_that_the_key_may_not_use_is_refused(world: World) -> None:
    key = await world.create_key(GENEROUS, allowed_models=["gpt-4*"])
    response = await post(world, key, json=BODY)
    assert (response.status_code, error_of(response)["code"]) == (404, "model_not_found")
    await logged_once(world, "model_not_found")
    assert world.demo.upstream.book.entries == ()


async def test_without_an_account_nothing_is_held(world: World) -> None:
    """S5"""
    key = await world.create_key(GENEROUS)
    await world.remove_accounts()
    response = await post(world, key, json=BODY)
    assert (response.status_code, error_of(response)["code"]) == (503, "no_accounts")
    await world.nothing_held(key)
    await logged_once(world, "no_accounts")


async def test_with_quotad_away_nothing_is_served(database_url: str, tmp_path: Path) -> None:
    async with open_world(database_url, tmp_path, quotad_address="127.0.0.1:1", quotad_retry_seconds=0.2) as world:
        key = await world.create_key(GENEROUS)
        response = await post(world, key, json=BODY)
        assert (response.status_code, error_of(response)["code"]) == (503, "quota_unavailable")
        assert response.headers["retry-after"] == "1"
        await logged_once(world, "quota_unavailable")
        assert world.demo.upstream.book.entries == ()
        assert not await world.worker.is_ready()


async def test_with_the_database_away_nothing_is_served_and_the_row_comes_later(
    world: World, postgres_server: Server
) -> None:
    key = await world.create_key(GENEROUS)
    name = make_url(world.database_url).database
    postgres_server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    postgres_server.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    response = await post(world, key, json=BODY)
    assert (response.status_code, error_of(response)["code"]) == (503, "quota_unavailable")
    assert not await world.worker.is_ready()
    postgres_server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    await logged_once(world, "quota_unavailable")
    assert await world.held(key) == 0
    assert world.demo.upstream.book.entries == ()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("behaviour", ["html", "reset", "cut", "500"])
async def test_an_upstream_that_answers_nothing_usable_is_a_bad_gateway(
    world: World, behaviour: str, *, stream: bool
) -> None:
    key = await world.create_key(GENEROUS)
    response = await post(world, key, json=BODY | {"stream": stream}, headers={"x-demo-behaviour": behaviour})
    assert response.status_code in (502, 503)
    assert error_of(response)["type"] == "server_error"
    await world.nothing_held(key)
    assert len(await world.rows(1)) == 1


@pytest.mark.parametrize("behaviour", ["half_event", "cut;after=3", "reset;after=3"])
async def test_a_stream_that_breaks_ends_with_a_terminal_event(world: World, behaviour: str) -> None:
    key = await world.create_key(GENEROUS)
    response = await post(world, key, json=BODY | {"stream": True}, headers={"x-demo-behaviour": behaviour})
    assert response.status_code == 200
    events = [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: ")]
    assert events[-1]["type"] == "response.failed"
    assert events[-1]["response"]["error"]["code"] == "stream_incomplete"
    assert events[-1]["response"]["id"] == events[0]["response"]["id"]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    await world.nothing_held(key)
    assert len(await world.rows(1)) == 1
