"""How often a password may be tried."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

from dashboard.auth.attempts import AttemptLimits, count_attempt, forgive_attempts, purge_attempts, scope_of
from dashboard.errors import TooManyAttempts
from tests.dashboard.world import PASSWORD, Dashboard, code_of, running, set_first_password, sign_in

LIMITS = AttemptLimits(per_address_max=2, overall_max=3, seconds=60)


async def counted(dashboard: Dashboard, address: str) -> bool:
    try:
        async with dashboard.services.database.transaction() as connection:
            await count_attempt(connection, address, LIMITS)
    except TooManyAttempts:
        return False
    return True


async def test_an_address_has_so_many_attempts_and_all_of_them_together_a_few_more(dashboard: Dashboard) -> None:
    tries = ["10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.2", "10.0.0.3"]
    assert [await counted(dashboard, address) for address in tries] == [True, True, False, True, False, False]


async def test_attempts_at_once_never_pass_the_limit(dashboard: Dashboard) -> None:
    results = await asyncio.gather(*(counted(dashboard, "10.0.0.1") for _ in range(10)))
    assert results.count(True) == 2


async def test_a_window_that_has_ended_counts_no_more(dashboard: Dashboard) -> None:
    for address in ("10.0.0.1", "10.0.0.1", "10.0.0.2"):
        assert await counted(dashboard, address)
    await dashboard.execute("UPDATE dashboard.attempt_windows SET start_time = now() - interval '61 seconds'")
    assert await counted(dashboard, "10.0.0.1")
    async with dashboard.services.database.transaction() as connection:
        await purge_attempts(connection, LIMITS.seconds)
        left = await connection.exec_driver_sql("SELECT scope FROM dashboard.attempt_windows ORDER BY scope")
        assert list(left.scalars()) == ["address 10.0.0.1", "all"]


async def test_a_right_attempt_is_given_back(dashboard: Dashboard) -> None:
    for _ in range(5):
        assert await counted(dashboard, "10.0.0.1")
        async with dashboard.services.database.transaction() as connection:
            await forgive_attempts(connection, "10.0.0.1", LIMITS)


@pytest.mark.parametrize(
    ("address", "scope"),
    [
        ("192.0.2.7", "address 192.0.2.7"),
        ("::ffff:192.0.2.7", "address 192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "address 2001:db8:1:2::/64"),
        ("fe80::1%eth0", "address fe80::/64"),
        ("unknown", "address unknown"),
    ],
)
def test_addresses_that_cost_nothing_count_as_one(address: str, scope: str) -> None:
    assert scope_of(address) == scope


async def test_too_many_wrong_passwords_are_told_when_to_come_back(database_url: str) -> None:
    async with running(database_url, attempts_per_address_max=3) as dashboard, dashboard.client() as client:
        assert (await set_first_password(client)).status_code == 200
        wrong = [code_of(await sign_in(client, "wrong")) for _ in range(3)]
        assert wrong == [(401, "wrong_password")] * 3
        refused = await sign_in(client, PASSWORD)
        assert code_of(refused) == (429, "too_many_attempts")
        assert 890 <= int(refused.headers["retry-after"]) <= 900


async def test_the_bootstrap_token_and_the_current_password_are_guarded_alike(database_url: str) -> None:
    async def change(client: httpx2.AsyncClient, current: str) -> httpx2.Response:
        body = {"currentPassword": current, "newPassword": "another password"}
        return await client.post("/api/auth/password", json=body)

    async with running(database_url, attempts_per_address_max=2) as dashboard, dashboard.client() as client:
        assert code_of(await set_first_password(client, token="wrong")) == (401, "wrong_token")
        async with dashboard.signed_in() as operator:
            assert code_of(await change(operator, "wrong")) == (401, "wrong_password")
            assert code_of(await change(operator, "wrong")) == (401, "wrong_password")
            assert code_of(await change(operator, PASSWORD)) == (429, "too_many_attempts")
