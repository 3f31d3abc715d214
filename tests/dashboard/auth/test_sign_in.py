"""Setting the password, signing in and out, and the sessions that come of it."""

from __future__ import annotations

import asyncio
import logging

import httpx2
import pytest

from dashboard.auth import cookies
from dashboard.auth.bootstrap import BootstrapToken
from tests.dashboard.world import BOOTSTRAP_TOKEN, PASSWORD, Dashboard, code_of, running, set_first_password, sign_in


async def change(client: httpx2.AsyncClient, current: str, new: str) -> httpx2.Response:
    return await client.post("/api/auth/password", json={"currentPassword": current, "newPassword": new})


async def is_signed_in(client: httpx2.AsyncClient) -> bool:
    answer = await client.get("/api/auth/session")
    return answer.json()["authenticated"] is True


async def test_the_first_password_is_set_with_the_bootstrap_token_and_signs_in(dashboard: Dashboard) -> None:
    async with dashboard.client() as client:
        before = (await client.get("/api/auth/session")).json()
        assert before == {
            "authenticated": False,
            "totpDue": False,
            "passwordSet": False,
            "csrfToken": None,
            "proxyUrl": None,
        }
        assert code_of(await set_first_password(client, token="wrong")) == (401, "wrong_token")
        answer = await set_first_password(client)
        assert answer.status_code == 200
        assert (await client.get("/api/auth/session")).json() == answer.json()
        assert (await client.get("/api/accounts")).status_code == 200


def test_a_bootstrap_token_is_made_anew_unless_one_is_given() -> None:
    assert BootstrapToken.given_or_new("").value != BootstrapToken.given_or_new("").value
    assert BootstrapToken.given_or_new("given").value == "given"
    assert not BootstrapToken.given_or_new("").is_right("")


async def test_the_bootstrap_token_works_once(dashboard: Dashboard) -> None:
    async with dashboard.signed_in(), dashboard.client() as client:
        assert code_of(await set_first_password(client)) == (409, "password_already_set")
        assert code_of(await set_first_password(client, token="wrong")) == (409, "password_already_set")


async def test_of_many_first_passwords_at_once_one_wins(dashboard: Dashboard) -> None:
    async with dashboard.client() as client:
        passwords = [f"password number {number}" for number in range(5)]
        answers = await asyncio.gather(*(set_first_password(client, password=password) for password in passwords))
        statuses = [answer.status_code for answer in answers]
        assert sorted(statuses) == [200, 409, 409, 409, 409]
        assert (await sign_in(client, passwords[statuses.index(200)])).status_code == 200


@pytest.mark.parametrize(
    ("password", "code"),
    [("", "password_too_short"), ("7 chars", "password_too_short"), ("x" * 1025, "password_too_long")],
)
async def test_a_password_has_8_to_1024_characters(dashboard: Dashboard, password: str, code: str) -> None:
    async with dashboard.client() as client:
        assert code_of(await set_first_password(client, password=password)) == (400, code)
        assert (await set_first_password(client, password="é" * 1024)).status_code == 200


async def test_only_the_password_signs_in(dashboard: Dashboard) -> None:
    async with dashboard.signed_in(), dashboard.client() as client:
        for wrong in ("", PASSWORD + " ", PASSWORD.upper(), "x" * 5000, "\0"):
            assert code_of(await sign_in(client, wrong)) == (401, "wrong_password")
        assert not await is_signed_in(client)
        assert (await sign_in(client)).status_code == 200
        assert await is_signed_in(client)


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(dashboard: Dashboard) -> None:
    async with dashboard.client() as client:
        cookie = (await set_first_password(client)).headers["set-cookie"].lower()
    assert {"httponly", "samesite=strict", "path=/"} <= {part.strip() for part in cookie.split(";")}


async def test_only_a_hash_of_the_session_lies_in_the_database(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator:
        secret = operator.cookies[cookies.NAME]
        async with dashboard.services.database.transaction() as connection:
            [row] = (await connection.exec_driver_sql("SELECT * FROM dashboard.sessions")).all()
        assert secret not in str(row)
        assert secret.encode() not in row


async def test_signing_out_revokes_the_session_and_clears_the_cookie(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator:
        secret = operator.cookies[cookies.NAME]
        answer = await operator.post("/api/auth/logout")
        assert answer.status_code == 204
        assert cookies.NAME not in operator.cookies
        operator.cookies.set(cookies.NAME, secret)
        assert not await is_signed_in(operator)


async def test_signing_in_again_ends_the_session_that_one_had(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator, dashboard.client() as old:
        old.cookies.set(cookies.NAME, operator.cookies[cookies.NAME])
        assert await is_signed_in(old)
        assert (await sign_in(operator)).status_code == 200
        assert not await is_signed_in(old)


@pytest.mark.parametrize(
    "ending",
    [
        "DELETE FROM dashboard.sessions",
        "UPDATE dashboard.sessions SET create_time = now() - interval '2 days', expire_time = now()",
        "UPDATE dashboard.sessions SET seen_time = now() - interval '2 hours'",
    ],
)
async def test_a_session_ends_by_revocation_by_age_and_by_idleness(dashboard: Dashboard, ending: str) -> None:
    async with dashboard.signed_in() as operator:
        assert await is_signed_in(operator)
        await dashboard.execute(ending)
        assert not await is_signed_in(operator)
        assert code_of(await operator.get("/api/accounts")) == (401, "not_signed_in")


async def test_a_session_in_use_does_not_idle_out(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator:
        await dashboard.execute("UPDATE dashboard.sessions SET seen_time = now() - interval '119 minutes'")
        assert await is_signed_in(operator)
        async with dashboard.services.database.transaction() as connection:
            idle = await connection.exec_driver_sql("SELECT now() - seen_time < '1 minute' FROM dashboard.sessions")
            assert idle.scalar_one() is True


async def test_sessions_that_ended_are_swept_at_the_next_sign_in(dashboard: Dashboard) -> None:
    async with dashboard.signed_in():
        await dashboard.execute("UPDATE dashboard.sessions SET seen_time = now() - interval '1 day'")
        async with dashboard.signed_in(), dashboard.services.database.transaction() as connection:
            count = await connection.exec_driver_sql("SELECT count(*) FROM dashboard.sessions")
            assert count.scalar_one() == 1


@pytest.mark.parametrize("cookie", ["", "x", "x" * 4000, '"', "=;="])
async def test_a_made_up_cookie_opens_nothing(dashboard: Dashboard, cookie: str) -> None:
    async with dashboard.client(cookie=f"{cookies.NAME}={cookie}") as client:
        assert not await is_signed_in(client)


async def test_changing_the_password_needs_session_and_current_password_and_ends_every_other_session(
    dashboard: Dashboard,
) -> None:
    async with dashboard.signed_in() as operator, dashboard.signed_in() as other, dashboard.client() as stranger:
        assert code_of(await change(stranger, PASSWORD, "another password")) == (401, "not_signed_in")
        assert code_of(await change(operator, "wrong", "another password")) == (401, "wrong_password")
        assert code_of(await change(operator, PASSWORD, "short")) == (400, "password_too_short")
        assert (await change(operator, PASSWORD, "another password")).status_code == 200
        assert await is_signed_in(operator)
        assert not await is_signed_in(other)
        assert code_of(await sign_in(stranger)) == (401, "wrong_password")
        assert (await sign_in(stranger, "another password")).status_code == 200


async def test_changing_the_password_needs_the_token_of_the_session(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator:
        operator.headers["X-CSRF-Token"] = "wrong"
        assert code_of(await change(operator, PASSWORD, "another password")) == (403, "csrf_failed")


async def test_the_proxys_address_is_told_only_to_who_is_signed_in(database_url: str) -> None:
    async with running(database_url, proxy_url="http://127.0.0.1:8080/") as dashboard, dashboard.client() as stranger:
        assert (await stranger.get("/api/auth/session")).json()["proxyUrl"] is None
        async with dashboard.signed_in() as operator:
            session = (await operator.get("/api/auth/session")).json()
            assert session["proxyUrl"] == "http://127.0.0.1:8080"


async def test_no_password_or_token_gets_into_the_log(
    dashboard: Dashboard, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    async with dashboard.client() as client:
        await set_first_password(client, token="a wrong token")
        secret = (await set_first_password(client)).cookies[cookies.NAME]
        await sign_in(client, "a wrong password")
    out, err = capfd.readouterr()
    logged = "".join(record.getMessage() for record in caplog.records if not record.name.startswith("http"))
    for word in (BOOTSTRAP_TOKEN, PASSWORD, secret, "a wrong token", "a wrong password"):
        assert word not in logged + out + err
