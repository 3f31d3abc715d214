"""`quotad reservations`, `quotad usage` and `quotad refusals`, beside a running daemon."""

from __future__ import annotations

import asyncio

import pytest

from quotad.client.quota_client import QuotaClient
from quotad.errors import QuotaExceeded
from tests.quotad.cli.conftest import Run
from tests.support.daemons import ADMIN_TOKEN, DATA_TOKEN
from tests.support.waiting import eventually_now


@pytest.fixture
def quotad(run: Run, daemon_address: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`quotad …` as an operator beside that daemon."""
    monkeypatch.setenv("QUOTAD_ADDRESS", daemon_address)
    monkeypatch.setenv("QUOTAD_TOKEN", ADMIN_TOKEN)
    return run


@pytest.fixture
def key(quotad: Run, daemon_address: str, request: pytest.FixtureRequest) -> str:
    """The id of a key of the test's own, with two open reservations of 40 of its 100 tokens, and a refused one."""
    name = request.node.name
    created = quotad("keys", "create", name, "--limit", "total_tokens:day:100", "--json").json

    async def use() -> None:
        async with QuotaClient(daemon_address, DATA_TOKEN) as client:
            for number in range(3):
                try:
                    await client.reserve(
                        f"{name}-{number}", api_key=created["secret"], model="m", amounts={"total_tokens": 40}
                    )
                except QuotaExceeded:
                    continue

    asyncio.run(use())
    return str(created["api_key_id"])


def test_open_reservations_are_listed(quotad: Run, key: str) -> None:
    found = quotad("reservations", "list", "--key", key, "--json").json
    assert [(item["state"], item["reserved"]["total_tokens"]) for item in found] == [("reserved", 40)] * 2
    shown = quotad("reservations", "list", "--key", key)
    assert found[0]["reservation_id"] in shown.stdout
    assert "total_tokens 40" in shown.stdout
    assert quotad("reservations", "list", "--key", key, "--age", "1h", "--json").json == []
    assert len(quotad("reservations", "list", "--key", key, "--count", "1", "--json").json) == 1


def test_a_reservation_is_shown_and_released_by_force(quotad: Run, key: str) -> None:
    (first, _) = quotad("reservations", "list", "--key", key, "--json").json
    name = first["reservation_id"]
    assert quotad("reservations", "show", name, "--json").json["holds"][0]["held"] == 40
    assert "lease until" in quotad("reservations", "show", name).stdout
    ended = quotad("reservations", "release", name, "--reason", "stuck", "--json").json
    assert (ended["changed"], ended["state"], ended["forced_reason"]) == (True, "expired", "stuck")
    again = quotad("reservations", "release", name, "--reason", "stuck")
    assert (again.code, "nothing to give back: it is expired" in again.stdout) == (0, True)
    assert "released by force: stuck" in again.stdout
    (expired,) = quotad("reservations", "list", "--key", key, "--state", "expired", "--json").json
    assert expired["reservation_id"] == name


def test_usage_is_listed(quotad: Run, key: str, daemon_address: str) -> None:
    (first, _) = quotad("reservations", "list", "--key", key, "--json").json

    async def settle() -> None:
        async with QuotaClient(daemon_address, DATA_TOKEN) as client:
            await client.finalize(first["reservation_id"], amounts={"total_tokens": 33})

    asyncio.run(settle())
    (total,) = quotad("usage", "--key", key, "--metric", "total_tokens", "--json").json
    assert (total["model"], total["amount"]) == ("m", 33)
    assert total["hour"].endswith(":00:00Z")
    assert "33" in quotad("usage", "--key", key, "--since", "2h").stdout
    assert quotad("usage", "--key", key, "--until", "2020-01-01", "--since", "2019-12-31", "--json").json == []
    assert "settled" in quotad("reservations", "show", first["reservation_id"]).stdout


def test_refusals_are_listed_with_their_reason(quotad: Run, key: str) -> None:
    """B7: why a 429 happened."""
    (count,) = eventually_now(lambda: quotad("refusals", "--key", key, "--json").json)
    assert (count["refused"], count["enforcement"], count["limit"]["metric"]) == (1, "enforce", "total_tokens")
    assert count["samples"][0]["blocked_by"] == "held"
    assert "40 requested, 0 used and 80 held of 100, blocked by held" in quotad("refusals", "--key", key).stdout
    assert quotad("refusals", "--key", key, "--enforcement", "shadow", "--json").json == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("usage", "--since", "soon"), "--since soon: write a time"),
        (("refusals", "--until", "2030-13-01"), "--until 2030-13-01: write a time"),
        (("reservations", "list", "--age", "old"), "--age old: write a length of time"),
    ],
)
def test_a_wrong_time_is_named(quotad: Run, arguments: tuple[str, ...], said: str) -> None:
    ended = quotad(*arguments)
    assert ended.code == 2
    assert said in ended.stderr


def test_a_tenant_sees_its_own(quotad: Run, key: str) -> None:
    assert quotad("reservations", "list", "--tenant", "another", "--json").json == []
    assert quotad("usage", "--tenant", "another", "--json").json == []
    assert quotad("refusals", "--tenant", "another", "--json").json == []
    assert quotad("reservations", "show", "any", "--tenant", "another").code == 1
