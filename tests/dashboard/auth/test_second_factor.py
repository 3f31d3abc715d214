"""One-time passwords from set-up to turning off, over HTTP."""

from __future__ import annotations

import asyncio
import logging

import httpx2
import pyotp
import pytest

from dashboard.auth import cookies
from tests.dashboard.world import (
    PASSWORD,
    Dashboard,
    code_of,
    disable,
    recover,
    running,
    set_up_totp,
    sign_in,
    verify,
)


async def signed_in_by_password(dashboard: Dashboard, client: httpx2.AsyncClient) -> None:
    """The right password; a code is due."""
    answer = (await sign_in(client)).json()
    assert (answer["authenticated"], answer["totpDue"], answer["proxyUrl"]) == (False, True, None)
    client.headers["X-CSRF-Token"] = answer["csrfToken"]


async def is_configured(operator: httpx2.AsyncClient) -> bool:
    return (await operator.get("/api/auth/totp")).json()["configured"] is True


async def test_a_set_up_shows_the_secret_in_three_forms_and_changes_nothing_yet(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator:
        setup = (await operator.post("/api/auth/totp/setup")).json()
        assert setup["otpauthUri"].startswith("otpauth://totp/quotad:operator%40127.0.0.1")
        assert setup["secret"] in setup["otpauthUri"]
        assert setup["qrSvg"].startswith("<svg")
        assert not await is_configured(operator)
        assert (await operator.get("/api/accounts")).status_code == 200


async def test_the_first_code_turns_it_on_and_shows_the_recovery_codes_once(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator:
        app = await set_up_totp(operator)
        assert len(app.recovery_codes) == 10
        state = (await operator.get("/api/auth/totp")).json()
        assert (state["configured"], state["recoveryCodesLeft"]) == (True, 10)
        assert (await operator.get("/api/accounts")).status_code == 200


async def test_a_set_up_needs_its_own_code_in_time(dashboard: Dashboard) -> None:
    async def confirm(code: str) -> tuple[int, str]:
        return code_of(await operator.post("/api/auth/totp/confirm", json={"code": code}))

    async with dashboard.signed_in() as operator:
        assert await confirm("123456") == (409, "totp_setup_missing")
        first = (await operator.post("/api/auth/totp/setup")).json()["secret"]
        second = (await operator.post("/api/auth/totp/setup")).json()["secret"]
        assert await confirm(pyotp.TOTP(first).now()) == (401, "wrong_code")
        await dashboard.execute("UPDATE dashboard.totp_setups SET expire_time = now()")
        assert await confirm(pyotp.TOTP(second).now()) == (409, "totp_setup_missing")
        assert not await is_configured(operator)


async def test_of_two_set_ups_at_once_one_wins_and_the_other_session_owes_its_code(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as one, dashboard.signed_in() as other:
        secrets = [(await each.post("/api/auth/totp/setup")).json()["secret"] for each in (one, other)]
        answers = await asyncio.gather(
            *(
                each.post("/api/auth/totp/confirm", json={"code": pyotp.TOTP(secret).now()})
                for each, secret in zip((one, other), secrets, strict=True)
            )
        )
        won, lost = sorted(answers, key=lambda answer: answer.status_code)
        assert won.status_code == 200
        assert code_of(lost)[1] in ("totp_configured", "totp_required", "totp_setup_missing")
        reached = [(await each.get("/api/accounts")).status_code for each in (one, other)]
        assert sorted(reached) == [200, 401]


async def test_setting_up_again_needs_turning_off_first(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator:
        await set_up_totp(operator)
        assert code_of(await operator.post("/api/auth/totp/setup")) == (409, "totp_configured")
        confirmed = await operator.post("/api/auth/totp/confirm", json={"code": "123456"})
        assert code_of(confirmed) == (409, "totp_configured")


async def test_a_sign_in_needs_the_code_as_well(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator, dashboard.client() as client:
        app = await set_up_totp(operator)
        await signed_in_by_password(dashboard, client)
        assert code_of(await client.get("/api/accounts")) == (401, "totp_required")
        assert code_of(await verify(client, "000000")) == (401, "wrong_code")
        answer = await verify(client, await app.fresh_code(dashboard))
        assert (answer.json()["authenticated"], answer.json()["totpDue"]) == (True, False)
        assert (await client.get("/api/accounts")).status_code == 200


async def test_other_sessions_owe_a_code_from_the_moment_it_is_turned_on(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator, dashboard.signed_in() as other:
        app = await set_up_totp(operator)
        assert code_of(await other.get("/api/accounts")) == (401, "totp_required")
        assert (await verify(other, await app.fresh_code(dashboard))).status_code == 200
        assert (await other.get("/api/accounts")).status_code == 200


async def test_the_password_cannot_be_changed_before_the_code_is_shown(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator, dashboard.client() as client:
        await set_up_totp(operator)
        await signed_in_by_password(dashboard, client)
        body = {"currentPassword": PASSWORD, "newPassword": "another password"}
        assert code_of(await client.post("/api/auth/password", json=body)) == (401, "totp_required")


async def test_a_changed_password_does_not_ask_the_same_session_for_a_code_again(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator:
        await set_up_totp(operator)
        body = {"currentPassword": PASSWORD, "newPassword": "another password"}
        assert (await operator.post("/api/auth/password", json=body)).json()["authenticated"] is True


async def test_verifying_does_not_move_the_end_of_the_session(dashboard: Dashboard) -> None:
    async def ends() -> list[str]:
        return [one["expireTime"] for one in (await operator.get("/api/auth/sessions")).json()["sessions"]]

    async with dashboard.signed_in() as operator, dashboard.client() as client:
        app = await set_up_totp(operator)
        await signed_in_by_password(dashboard, client)
        await dashboard.execute("UPDATE dashboard.sessions SET expire_time = expire_time - interval '1 hour'")
        before = await ends()
        answer = await verify(client, await app.fresh_code(dashboard))
        assert answer.status_code == 200
        assert "set-cookie" not in answer.headers
        assert await ends() == before


async def test_the_code_that_confirmed_cannot_sign_in(dashboard: Dashboard) -> None:
    """D2"""
    async with dashboard.signed_in() as operator, dashboard.client() as client:
        setup = (await operator.post("/api/auth/totp/setup")).json()
        code = pyotp.TOTP(setup["secret"]).now()
        assert (await operator.post("/api/auth/totp/confirm", json={"code": code})).status_code == 200
        await signed_in_by_password(dashboard, client)
        assert code_of(await verify(client, code)) == (401, "code_spent")


async def test_a_code_works_once_and_ends_earlier_ones(dashboard: Dashboard) -> None:
    """D2"""
    async with dashboard.signed_in() as operator:
        app = await set_up_totp(operator)
        code = await app.fresh_code(dashboard)
        assert (await verify(operator, code)).status_code == 200
        assert code_of(await verify(operator, code)) == (401, "code_spent")
        await dashboard.execute("UPDATE dashboard.totp SET last_step = last_step + 1")
        assert code_of(await verify(operator, code)) == (401, "code_spent")


async def test_of_one_code_shown_many_times_at_once_one_is_taken(database_url: str) -> None:
    """D2: at two dashboards over one database."""
    async with (
        running(database_url, attempts_per_address_max=100, code_attempts_max=100) as one,
        running(database_url, attempts_per_address_max=100, code_attempts_max=100) as other,
        one.signed_in() as operator,
        other.signed_in() as elsewhere,
    ):
        app = await set_up_totp(operator)
        code = await app.fresh_code(one)
        answers = await asyncio.gather(*(verify(each, code) for _ in range(10) for each in (operator, elsewhere)))
        assert sum(answer.status_code == 200 for answer in answers) == 1
        assert {code_of(answer) for answer in answers if answer.status_code != 200} == {(401, "code_spent")}


async def test_turning_off_needs_a_session_that_has_shown_a_code_and_one_more_code(dashboard: Dashboard) -> None:
    """D1"""
    async with dashboard.signed_in() as operator, dashboard.client() as client:
        app = await set_up_totp(operator)
        await signed_in_by_password(dashboard, client)
        assert code_of(await disable(client, await app.fresh_code(dashboard))) == (401, "totp_required")
        spent = await app.fresh_code(dashboard)
        assert (await verify(client, spent)).status_code == 200
        assert code_of(await disable(client, spent)) == (401, "code_spent")
        assert code_of(await disable(client, "000000")) == (401, "wrong_code")
        assert code_of(await client.post("/api/auth/totp/disable", json={})) == (400, "invalid_request")
        assert await is_configured(client)
        assert (await disable(client, await app.fresh_code(dashboard))).status_code == 204
        assert not await is_configured(client)


async def test_the_checks_of_turning_off_come_in_their_order(dashboard: Dashboard) -> None:
    """D3"""
    async with dashboard.client() as stranger, dashboard.signed_in() as operator, dashboard.client() as client:
        assert code_of(await disable(stranger, "000000")) == (401, "not_signed_in")
        assert code_of(await disable(operator, "000000")) == (409, "totp_not_configured")
        await set_up_totp(operator)
        await signed_in_by_password(dashboard, client)
        assert code_of(await disable(client, "000000")) == (401, "totp_required")
        assert code_of(await disable(operator, "000000")) == (401, "wrong_code")


async def test_what_was_shown_of_one_secret_says_nothing_about_the_next(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator, dashboard.signed_in() as other:
        app = await set_up_totp(operator)
        assert (await verify(other, await app.fresh_code(dashboard))).status_code == 200
        assert (await disable(operator, await app.fresh_code(dashboard))).status_code == 204
        assert (await other.get("/api/accounts")).status_code == 200
        await set_up_totp(operator)
        assert code_of(await other.get("/api/accounts")) == (401, "totp_required")


async def test_a_recovery_code_signs_in_once_however_it_is_typed(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator, dashboard.client() as client:
        app = await set_up_totp(operator)
        await signed_in_by_password(dashboard, client)
        assert code_of(await recover(client, "abcd-efgh-jkmn-pqrs")) == (401, "wrong_code")
        assert (await recover(client, app.recovery_codes[3].upper().replace("-", " "))).status_code == 200
        assert (await client.get("/api/auth/totp")).json()["recoveryCodesLeft"] == 9
        assert code_of(await recover(client, app.recovery_codes[3])) == (401, "code_spent")


async def test_of_one_recovery_code_shown_many_times_at_once_one_is_taken(database_url: str) -> None:
    async with running(database_url, attempts_per_address_max=100, code_attempts_max=100) as dashboard:
        async with dashboard.signed_in() as operator:
            app = await set_up_totp(operator)
            answers = await asyncio.gather(*(recover(operator, app.recovery_codes[0]) for _ in range(8)))
            assert sorted(answer.status_code for answer in answers) == [200] + [401] * 7


async def test_who_lost_the_phone_turns_it_off_with_two_recovery_codes(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator, dashboard.client() as client:
        app = await set_up_totp(operator)
        await signed_in_by_password(dashboard, client)
        assert (await recover(client, app.recovery_codes[0])).status_code == 200
        answer = await client.post("/api/auth/totp/disable", json={"recoveryCode": app.recovery_codes[1]})
        assert answer.status_code == 204
        assert (await sign_in(client)).json()["authenticated"] is True


async def test_renewed_recovery_codes_end_the_old_ones(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator:
        assert code_of(await operator.post("/api/auth/recovery-codes")) == (409, "totp_not_configured")
        app = await set_up_totp(operator)
        renewed = (await operator.post("/api/auth/recovery-codes")).json()["recoveryCodes"]
        assert code_of(await recover(operator, app.recovery_codes[0])) == (401, "wrong_code")
        assert (await recover(operator, renewed[0])).status_code == 200


async def test_guessing_codes_ends_soon_at_every_dashboard_and_a_right_password_does_not_help(
    database_url: str,
) -> None:
    async with (
        running(database_url, attempts_per_address_max=4) as one,
        running(database_url, attempts_per_address_max=4) as other,
    ):
        async with one.signed_in() as operator, other.client() as client:
            app = await set_up_totp(operator)
            await signed_in_by_password(other, client)
            for _ in range(2):
                assert code_of(await verify(operator, "000000")) == (401, "wrong_code")
                assert code_of(await recover(client, "no-such-code")) == (401, "wrong_code")
            await signed_in_by_password(other, client)
            assert code_of(await verify(client, await app.fresh_code(one))) == (429, "too_many_attempts")
            assert code_of(await recover(operator, app.recovery_codes[0])) == (429, "too_many_attempts")


async def test_wrong_codes_of_all_addresses_together_are_limited(database_url: str) -> None:
    async with running(database_url, code_attempts_max=2) as dashboard, dashboard.signed_in() as operator:
        await set_up_totp(operator)
        answers = [code_of(await verify(operator, "000000"))[0] for _ in range(3)]
        assert answers == [401, 401, 429]


@pytest.mark.parametrize("body", [{}, {"code": "1", "recoveryCode": "2"}, {"code": None}, {"code": 123456}])
async def test_one_thing_is_shown_at_a_time(dashboard: Dashboard, body: dict[str, str]) -> None:
    async with dashboard.signed_in() as operator:
        await set_up_totp(operator)
        assert code_of(await operator.post("/api/auth/totp/verify", json=body)) == (400, "invalid_request")


async def test_a_session_that_ends_meanwhile_is_not_let_through(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator, dashboard.client() as client:
        app = await set_up_totp(operator)
        await signed_in_by_password(dashboard, client)
        await operator.post("/api/auth/sessions/revoke-others")
        assert code_of(await verify(client, await app.fresh_code(dashboard))) == (401, "not_signed_in")


async def test_a_secret_of_another_key_is_told_and_recovery_codes_still_work(database_url: str) -> None:
    async with running(database_url) as dashboard, dashboard.signed_in() as operator:
        app = await set_up_totp(operator)
    other_key = "x" * 43 + "="
    async with running(database_url, secret_key=other_key) as dashboard, dashboard.client() as client:
        await signed_in_by_password(dashboard, client)
        assert code_of(await verify(client, app.code())) == (503, "totp_unreadable")
        assert (await recover(client, app.recovery_codes[0])).status_code == 200


async def test_neither_secret_nor_codes_lie_in_the_database_or_the_log(
    dashboard: Dashboard, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    async with dashboard.signed_in() as operator:
        app = await set_up_totp(operator)
        code = await app.fresh_code(dashboard)
        assert (await verify(operator, code)).status_code == 200
        assert (await recover(operator, app.recovery_codes[0])).status_code == 200
        session = operator.cookies[cookies.NAME]
    tables = ("totp", "totp_setups", "recovery_codes", "audit_log", "sessions")
    async with dashboard.services.database.transaction() as connection:
        held = [(await connection.exec_driver_sql(f"SELECT * FROM dashboard.{table}")).all() for table in tables]
    logged = "".join(record.getMessage() for record in caplog.records if not record.name.startswith("http"))
    everything = "".join((str(held), logged, *capfd.readouterr()))
    for word in (app.secret, session, *app.recovery_codes):
        assert word not in everything
    assert f"{code!r}" not in everything
