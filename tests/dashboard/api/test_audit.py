"""Who changed what, over both logs."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from dashboard.audit_pages import Cursor, read_token, write_token
from dashboard.errors import InvalidInput
from tests.dashboard.world import (
    PASSWORD,
    Dashboard,
    code_of,
    disable,
    recover,
    running,
    set_up_totp,
)
from tests.support.daemons import ADMIN_TOKEN, quotad

NEW_PASSWORD = "another password"


@pytest.fixture
async def both(database_url: str) -> AsyncIterator[Dashboard]:
    """A dashboard with a quotad behind."""
    async with quotad(database_url) as daemon:
        async with running(database_url, quotad_address=daemon.address, quotad_token=ADMIN_TOKEN) as dashboard:
            yield dashboard


async def entries(operator: httpx2.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    """All pages, the latest first."""
    found: list[dict[str, Any]] = []
    token = ""
    while True:
        answer = await operator.get("/api/audit", params={**query, "pageToken": token})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += page["entries"]
        token = page["nextPageToken"]
        if not token:
            return found


def what(entry: dict[str, Any]) -> str:
    return f"{entry['action']} {entry['resourceKind']}"


async def test_every_own_change_is_kept_with_who_made_it(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator:
        app = await set_up_totp(operator)
        assert (await recover(operator, app.recovery_codes[0])).status_code == 200
        assert (await operator.post("/api/auth/recovery-codes")).status_code == 200
        async with dashboard.client() as other:
            await other.post("/api/auth/login", json={"password": PASSWORD})
        assert (await operator.post("/api/auth/sessions/revoke-others")).json() == {"ended": 1}
        assert (await disable(operator, await app.fresh_code(dashboard))).status_code == 204
        body = {"currentPassword": PASSWORD, "newPassword": NEW_PASSWORD}
        changed = await operator.post("/api/auth/password", json=body)
        operator.headers["X-CSRF-Token"] = changed.json()["csrfToken"]
        found = await entries(operator, source="dashboard")
    assert [what(entry) for entry in reversed(found)] == [
        "create session",
        "create password",
        "create totp",
        "use recovery_code",
        "rotate recovery_codes",
        "create session",
        "revoke session",
        "delete totp",
        "update password",
    ]
    assert all(entry["actor"].startswith("operator session=") for entry in found)
    assert all(entry["actor"].endswith(" address=127.0.0.1") for entry in found)
    assert json.loads(found[5]["after"]) == {"left": 9}


async def test_a_change_that_is_refused_leaves_no_entry(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator:
        app = await set_up_totp(operator)
        before = await entries(operator, source="dashboard")
        await recover(operator, "no-such-code")
        await disable(operator, app.code())
        await operator.delete("/api/auth/sessions/0123456789ab")
        await operator.post("/api/auth/password", json={"currentPassword": "wrong", "newPassword": NEW_PASSWORD})
        assert await entries(operator, source="dashboard") == before


async def test_both_logs_are_one_list_by_time(both: Dashboard) -> None:
    async with both.signed_in() as operator:
        made = (await operator.post("/api/api-keys", json={"name": "alice"})).json()
        await set_up_totp(operator)
        await operator.delete(f"/api/api-keys/{made['apiKeyId']}")
        found = await entries(operator)
    assert [what(entry) for entry in found] == [
        "delete api_key",
        "create totp",
        "create api_key",
        "create password",
        "create session",
    ]
    [deleted, _, created, *_] = found
    assert {deleted["source"], created["source"]} == {"quotad"}
    assert deleted["actor"] == found[1]["actor"]
    assert json.loads(created["after"])["name"] == "alice"


@pytest.mark.parametrize("limit", [1, 2, 3, 50])
async def test_pages_of_any_size_show_every_entry_once(both: Dashboard, limit: int) -> None:
    async with both.signed_in() as operator:
        for number in range(4):
            await operator.post("/api/api-keys", json={"name": f"key {number}"})
            await operator.delete("/api/auth/sessions/" + await _other_session(both, operator))
        at_once = await entries(operator, limit=200)
        assert len(at_once) == 2 + 4 * 3
        assert await entries(operator, limit=limit) == at_once


async def _other_session(dashboard: Dashboard, operator: httpx2.AsyncClient) -> str:
    async with dashboard.client() as other:
        await other.post("/api/auth/login", json={"password": PASSWORD})
    found = (await operator.get("/api/auth/sessions")).json()["sessions"]
    return next(str(one["sessionId"]) for one in found if not one["isCurrent"])


async def test_changes_made_while_one_pages_repeat_and_hide_nothing(both: Dashboard) -> None:
    async with both.signed_in() as operator:
        for number in range(3):
            await operator.post("/api/api-keys", json={"name": f"key {number}"})
        first = (await operator.get("/api/audit", params={"limit": 2})).json()
        await operator.post("/api/api-keys", json={"name": "meanwhile"})
        second = (await operator.get("/api/audit", params={"pageToken": first["nextPageToken"]})).json()
    shown = [what(entry) for entry in first["entries"] + second["entries"]]
    assert shown == ["create api_key"] * 3 + ["create password", "create session"]


async def test_the_own_log_can_be_read_while_quotad_is_away(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator:
        assert code_of(await operator.get("/api/audit")) == (503, "quotad_unavailable")
        assert len(await entries(operator, source="dashboard")) == 2


@pytest.mark.parametrize("token", ["x", "====", "bnVsbA==", "W251bGxd", "WzEsMl0=", "😀", "x" * 2000])
async def test_a_token_that_is_none_is_named(dashboard: Dashboard, token: str) -> None:
    async with dashboard.signed_in() as operator:
        answer = await operator.get("/api/audit", params={"source": "dashboard", "pageToken": token})
        assert code_of(answer) == (400, "invalid_request")
        assert answer.json()["error"]["field"] == "pageToken"


@pytest.mark.parametrize(
    "content", ['[["2026-01-01T00:00:00",1],null]', '[["2026-01-01T00:00:00Z",-1],null]', "[[1,1],1]"]
)
def test_a_token_with_other_content_is_refused(content: str) -> None:
    made = write_token(Cursor())
    assert read_token(made) == Cursor()
    with pytest.raises(InvalidInput):
        read_token(base64.urlsafe_b64encode(content.encode()).decode())


async def test_old_entries_are_swept_at_a_sign_in(database_url: str) -> None:
    async with running(database_url, audit_retention_seconds=3600) as dashboard, dashboard.signed_in():
        await dashboard.execute("UPDATE dashboard.audit_log SET create_time = now() - interval '2 hours'")
        async with dashboard.signed_in() as operator:
            assert [what(entry) for entry in await entries(operator, source="dashboard")] == ["create session"]
