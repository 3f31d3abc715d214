"""What is dangerous needs a fresh proof of who it is, and what is changed stands in the log of changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from proxy.records.secrets import load_secret_box
from tests.dashboard.world import Dashboard, code_of, running

ACCOUNT = {"name": "mine", "baseUrl": "https://api.openai.com/v1", "apiKey": "sk-secret-of-mine"}
SETTINGS = {
    "version": 0,
    "routingStrategy": "round_robin",
    "sticky": True,
    "hidePoolLimits": False,
    "requestLogRetentionDays": 30,
    "priceOverrides": {"gpt-5*": {"input": "1", "output": "2"}},
}
DANGEROUS: tuple[tuple[str, str, dict[str, Any] | None], ...] = (
    ("DELETE", "/api/api-keys/key-1", None),
    ("POST", "/api/api-keys/key-1/rotate", {}),
    ("POST", "/api/accounts", ACCOUNT),
    ("POST", "/api/accounts/import", {"authJson": "{}"}),
    ("PUT", "/api/accounts/account-1/credentials", {"apiKey": "k"}),
    ("DELETE", "/api/accounts/account-1", None),
    ("PUT", "/api/settings", SETTINGS),
)


async def entries(dashboard: Dashboard) -> list[dict[str, Any]]:
    """The dashboard's own changes of accounts and settings, the latest first."""
    async with dashboard.signed_in() as operator:
        answer = await operator.get("/api/audit", params={"source": "dashboard"})
    found = answer.json()["entries"]
    return [entry for entry in found if entry["resourceKind"] in ("account", "settings")]


async def test_a_session_that_proved_itself_long_ago_is_asked_again(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator:
        await dashboard.execute("UPDATE dashboard.sessions SET password_time = password_time - interval '1 hour'")
        for method, path, body in DANGEROUS:
            answer = await operator.request(method, path, json=body)
            assert code_of(answer) == (403, "step_up_required"), path


async def test_changes_of_accounts_are_logged_without_their_secrets(database_url: str, tmp_path: Path) -> None:
    load_secret_box(tmp_path / "proxy.key")
    async with running(database_url, proxy_key_file=tmp_path / "proxy.key") as dashboard:
        async with dashboard.signed_in() as operator:
            account_id = (await operator.post("/api/accounts", json=ACCOUNT)).json()["accountId"]
            path = f"/api/accounts/{account_id}"
            await operator.post(f"{path}/pause")
            await operator.post(f"{path}/pause")
            await operator.put(f"{path}/credentials", json={"apiKey": "sk-another"})
            await operator.delete(path)
        logged = await entries(dashboard)
    assert [entry["action"] for entry in logged] == ["delete", "rotate", "update", "create"]
    assert {entry["resourceId"] for entry in logged} == {account_id}
    assert "sk-" not in json.dumps(logged)


async def test_a_refused_change_leaves_no_entry(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator:
        assert (await operator.put("/api/settings", json={**SETTINGS, "version": 7})).status_code == 409
    assert await entries(dashboard) == []


async def test_settings_are_logged_as_they_were_and_are(dashboard: Dashboard) -> None:
    async with dashboard.signed_in() as operator:
        assert (await operator.put("/api/settings", json=SETTINGS)).status_code == 200
    [entry] = await entries(dashboard)
    assert (entry["action"], entry["resourceKind"]) == ("update", "settings")
    shown = json.dumps(entry)
    assert "usage_weighted" in shown
    assert "round_robin" in shown
