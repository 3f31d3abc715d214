"""Showing again who it is, before something dangerous."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from tests.dashboard.world import PASSWORD, Dashboard, code_of, running, set_up_totp

LONG_AGO = "UPDATE dashboard.sessions SET password_time = now() - interval '1 hour', totp_time = {}"


async def step_up(client: httpx2.AsyncClient, **body: Any) -> httpx2.Response:
    return await client.post("/api/auth/step-up", json=body)


async def test_what_is_dangerous_asks_again_after_a_while(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator:
        assert (await operator.post("/api/auth/totp/setup")).status_code == 200
        await dashboard.execute(LONG_AGO.format("NULL"))
        assert code_of(await operator.post("/api/auth/totp/setup")) == (403, "step_up_required")
        assert code_of(await operator.post("/api/auth/recovery-codes")) == (403, "step_up_required")
        assert (await operator.get("/api/accounts")).status_code == 200


async def test_the_password_again_is_enough(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator:
        await dashboard.execute(LONG_AGO.format("NULL"))
        assert code_of(await step_up(operator, password="wrong")) == (401, "wrong_password")
        assert code_of(await operator.post("/api/auth/totp/setup")) == (403, "step_up_required")
        assert (await step_up(operator, password=PASSWORD)).status_code == 204
        assert (await operator.post("/api/auth/totp/setup")).status_code == 200


async def test_a_code_is_enough_and_is_spent(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator:
        app = await set_up_totp(operator)
        await dashboard.execute(LONG_AGO.format("now() - interval '1 hour'"))
        assert code_of(await operator.post("/api/auth/recovery-codes")) == (403, "step_up_required")
        code = await app.fresh_code(dashboard)
        assert (await step_up(operator, code=code)).status_code == 204
        assert code_of(await step_up(operator, code=code)) == (401, "code_spent")
        assert (await operator.post("/api/auth/recovery-codes")).status_code == 200


async def test_a_code_where_there_is_none_to_show_is_told(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator:
        assert code_of(await step_up(operator, code="123456")) == (409, "totp_not_configured")


@pytest.mark.parametrize("body", [{}, {"password": PASSWORD, "code": "1"}, {"password": PASSWORD, "recoveryCode": "1"}])
async def test_one_proof_is_shown_at_a_time(dashboard: Dashboard, body: dict[str, str]) -> None:
    async with dashboard.signed_in() as operator:
        assert code_of(await step_up(operator, **body)) == (400, "invalid_request")


async def test_guesses_are_limited_here_as_at_the_sign_in(database_url: str) -> None:
    async with running(database_url, attempts_per_address_max=2) as dashboard, dashboard.signed_in() as operator:
        for _ in range(2):
            assert code_of(await step_up(operator, password="wrong")) == (401, "wrong_password")
        assert code_of(await step_up(operator, password=PASSWORD)) == (429, "too_many_attempts")
