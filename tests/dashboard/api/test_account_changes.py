"""What the operator does to upstream accounts over HTTP; their secrets are in no answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography.fernet import Fernet

from proxy.records import read, write
from proxy.records.accounts import AccountState, ApiKeyCredentials, Credentials, NewAccount, OAuthCredentials
from proxy.records.secrets import SecretBox, load_secret_box
from tests.dashboard.world import Dashboard, code_of, running, sign_in

ADDED = {"name": "mine", "baseUrl": "https://api.openai.com/v1/", "apiKey": "sk-secret-of-mine"}
TOKENS = {
    "name": "pair",
    "baseUrl": "https://upstream.example/v1",
    "accessToken": "the-access-token",
    "refreshToken": "the-refresh-token",
    "tokenUrl": "https://auth.example/token",
    "clientId": "client",
    "usageUrl": "https://upstream.example/usage",
}
CODEX = {
    "tokens": {
        "access_token": "codex-access-token",
        "refresh_token": "codex-refresh-token",
        "id_token": "a.b.c",
        "account_id": "chatgpt-1",
    }
}
SECRETS = ("sk-secret-of-mine", "the-access-token", "the-refresh-token", "codex-access-token", "codex-refresh-token")


@dataclass(frozen=True, slots=True)
class Accounts:
    """A signed-in operator of a dashboard that has the proxies' key."""

    operator: httpx2.AsyncClient
    dashboard: Dashboard
    box: SecretBox

    async def post(self, path: str, **body: Any) -> httpx2.Response:
        return _safe(await self.operator.post(f"/api/accounts{path}", json=body))

    async def add(self, **fields: Any) -> dict[str, Any]:
        answer = await self.post("", **fields)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def replace(self, account: dict[str, Any], **body: Any) -> httpx2.Response:
        return _safe(await self.operator.put(f"/api/accounts/{account['accountId']}/credentials", json=body))

    async def names(self) -> list[str]:
        return [account["name"] for account in (await self.operator.get("/api/accounts")).json()["accounts"]]

    async def credentials(self, account: dict[str, Any]) -> Credentials:
        """What the proxies read."""
        async with self.dashboard.services.database.transaction() as connection:
            stored = await read.list_sealed_accounts(connection)
        [found] = [one for one in stored if one.account.account_id == account["accountId"]]
        return self.box.open(found.sealed_credentials)

    async def move(self, account: dict[str, Any], state: AccountState) -> None:
        """What a proxy concludes from an answer of the upstream."""
        async with self.dashboard.services.database.transaction() as connection:
            assert await write.move_account(connection, account["accountId"], state, reason="by a test")


def _safe(answer: httpx2.Response) -> httpx2.Response:
    assert not any(secret in answer.text for secret in SECRETS)
    return answer


@pytest.fixture
async def accounts(database_url: str, tmp_path: Path) -> AsyncIterator[Accounts]:
    box = load_secret_box(tmp_path / "proxy.key")
    async with running(database_url, proxy_key_file=tmp_path / "proxy.key") as dashboard:
        async with dashboard.signed_in() as operator:
            yield Accounts(operator, dashboard, box)


async def test_an_account_is_added_with_a_key_that_the_proxies_can_read(accounts: Accounts) -> None:
    added = await accounts.add(**ADDED)
    assert (added["name"], added["kind"], added["state"]) == ("mine", "api_key", "active")
    assert added["baseUrl"] == "https://api.openai.com/v1"
    assert await accounts.credentials(added) == ApiKeyCredentials("sk-secret-of-mine")
    assert (await accounts.operator.get("/api/accounts")).json()["accounts"] == [added]


async def test_an_account_is_added_with_tokens(accounts: Accounts) -> None:
    added = await accounts.add(**TOKENS)
    assert (added["kind"], added["tokenUrl"], added["usageUrl"]) == ("oauth", TOKENS["tokenUrl"], TOKENS["usageUrl"])
    assert await accounts.credentials(added) == OAuthCredentials("the-access-token", "the-refresh-token")


async def test_the_first_account_ends_the_demo(accounts: Accounts) -> None:
    demo = NewAccount("demo", "http://127.0.0.1:8070/v1", ApiKeyCredentials("demo"), is_demo=True)
    async with accounts.dashboard.services.database.transaction() as connection:
        await write.ensure_demo_account(connection, demo, accounts.box)
    assert await accounts.names() == ["demo"]
    await accounts.add(**ADDED)
    assert await accounts.names() == ["mine"]


async def test_the_auth_json_of_codex_is_imported(accounts: Accounts) -> None:
    answer = await accounts.post("/import", authJson=json.dumps(CODEX), name="from codex")
    assert answer.status_code == 201, answer.text
    account = answer.json()
    assert (account["name"], account["kind"], account["chatgptAccountId"]) == ("from codex", "oauth", "chatgpt-1")
    assert await accounts.credentials(account) == OAuthCredentials("codex-access-token", "codex-refresh-token", "a.b.c")
    again = await accounts.post("/import", authJson=json.dumps(CODEX), name="from codex")
    assert code_of(again) == (409, "account_name_taken")


async def test_a_file_that_is_no_auth_json_is_refused(accounts: Accounts) -> None:
    for content in ("", "nothing", "[]", "{}", '{"tokens": {"refresh_token": "the-refresh-token"}}', "[" * 100_000):
        assert code_of(await accounts.post("/import", authJson=content)) == (400, "invalid_request"), content[:20]
    assert await accounts.names() == []


WRONG_ACCOUNTS: list[dict[str, Any]] = [
    {},
    {"name": "x", "baseUrl": "https://a.example"},
    {**ADDED, "name": ""},
    {**ADDED, "name": "x" * 200},
    {**ADDED, "baseUrl": "ftp://a.example"},
    {**ADDED, "baseUrl": "https://user@a.example"},
    {**ADDED, "apiKey": "sk-secret-of-mine with blanks"},
    {**ADDED, "apiKey": ""},
    {**ADDED, "accessToken": "the-access-token", "refreshToken": "the-refresh-token"},
    {**ADDED, "more": 1},
    {**TOKENS, "tokenUrl": ""},
    {**TOKENS, "refreshToken": None},
    {**TOKENS, "refreshToken": "\ud800"},
    {**ADDED, "apiKey": "k" * 200_000},
]


async def test_a_wrong_account_is_refused_without_repeating_its_secrets(accounts: Accounts) -> None:
    for body in WRONG_ACCOUNTS:
        answer = await accounts.operator.post(
            "/api/accounts", content=json.dumps(body), headers={"content-type": "application/json"}
        )
        assert code_of(_safe(answer)) == (400, "invalid_request"), str(body)[:200]
    assert await accounts.names() == []


async def test_a_name_is_taken_once_even_by_two_at_a_time(accounts: Accounts) -> None:
    answers = await asyncio.gather(*(accounts.post("", **ADDED) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert await accounts.names() == ["mine"]


async def test_an_account_is_paused_and_resumed_as_often_as_one_likes(accounts: Accounts) -> None:
    path = f"/{(await accounts.add(**ADDED))['accountId']}"
    for action, state in (("pause", "paused"), ("pause", "paused"), ("resume", "active"), ("resume", "active")):
        answer = await accounts.post(f"{path}/{action}")
        assert (answer.status_code, answer.json()["state"]) == (200, state)


async def test_other_tokens_end_reauth_required(accounts: Accounts) -> None:
    account = await accounts.add(**TOKENS)
    await accounts.move(account, AccountState.REAUTH_REQUIRED)
    answer = await accounts.replace(account, accessToken="fresh-access", refreshToken="fresh-refresh")
    assert (answer.status_code, answer.json()["state"], answer.json()["stateReason"]) == (200, "active", "")
    assert await accounts.credentials(account) == OAuthCredentials("fresh-access", "fresh-refresh")


async def test_a_paused_account_stays_paused_with_another_key(accounts: Accounts) -> None:
    account = await accounts.add(**ADDED)
    await accounts.move(account, AccountState.PAUSED)
    assert (await accounts.replace(account, apiKey="sk-another")).json()["state"] == "paused"
    assert await accounts.credentials(account) == ApiKeyCredentials("sk-another")


async def test_an_auth_json_signs_its_own_account_in_again_and_no_other(accounts: Accounts) -> None:
    account = (await accounts.post("/import", authJson=json.dumps(CODEX), name="codex")).json()
    fresh = {"tokens": {**CODEX["tokens"], "refresh_token": "fresh-refresh"}}
    assert (await accounts.replace(account, authJson=json.dumps(fresh))).status_code == 200
    stored = await accounts.credentials(account)
    assert isinstance(stored, OAuthCredentials)
    assert stored.refresh_token == "fresh-refresh"
    other = {"tokens": {**CODEX["tokens"], "account_id": "chatgpt-2"}}
    assert code_of(await accounts.replace(account, authJson=json.dumps(other))) == (400, "invalid_request")
    elsewhere = await accounts.add(**TOKENS)
    assert code_of(await accounts.replace(elsewhere, authJson=json.dumps(fresh))) == (400, "invalid_request")
    assert await accounts.credentials(account) == stored


async def test_an_account_keeps_its_kind(accounts: Accounts) -> None:
    account = await accounts.add(**ADDED)
    for body in ({"accessToken": "a", "refreshToken": "b"}, {}, {"apiKey": "a b"}, {"apiKey": "a", "more": 1}):
        assert code_of(await accounts.replace(account, **body)) == (400, "invalid_request")
    assert await accounts.credentials(account) == ApiKeyCredentials("sk-secret-of-mine")


async def test_a_removed_account_is_gone_with_its_secrets(accounts: Accounts) -> None:
    account = await accounts.add(**ADDED)
    path = f"/api/accounts/{account['accountId']}"
    assert (await accounts.operator.delete(path)).status_code == 204
    assert await accounts.names() == []
    assert code_of(await accounts.operator.delete(path)) == (404, "resource_not_found")


async def test_an_account_is_meant_by_its_id_alone(accounts: Accounts) -> None:
    await accounts.add(**ADDED)
    for name in ("mine", "01890000-0000-7000-8000-000000000000", "nobody"):
        assert code_of(await accounts.operator.delete(f"/api/accounts/{name}")) == (404, "resource_not_found")
        assert code_of(await accounts.post(f"/{name}/pause")) == (404, "resource_not_found")
        assert code_of(await accounts.replace({"accountId": name}, apiKey="k")) == (404, "resource_not_found")
    assert await accounts.names() == ["mine"]


async def test_without_the_proxies_key_nothing_is_stored_and_no_key_is_made(database_url: str, tmp_path: Path) -> None:
    key_file = tmp_path / "absent"
    async with running(database_url, proxy_key_file=key_file) as dashboard, dashboard.signed_in() as operator:
        answer = await operator.post("/api/accounts", json=ADDED)
        assert code_of(answer) == (503, "account_key_unusable")
        assert "DASHBOARD_PROXY_KEY_FILE" in answer.json()["error"]["message"]
    assert not key_file.exists()


async def test_a_key_that_is_not_the_proxies_is_told(accounts: Accounts, database_url: str) -> None:
    await accounts.add(**ADDED)
    for secret_key in (Fernet.generate_key().decode(), "not a key"):
        async with running(database_url, proxy_secret_key=secret_key) as other, other.client() as client:
            answer = await sign_in(client)
            client.headers["X-CSRF-Token"] = answer.json()["csrfToken"]
            refused = await client.post("/api/accounts", json={**ADDED, "name": "second"})
            assert code_of(refused) == (503, "account_key_unusable")
            assert secret_key not in refused.text
    assert await accounts.names() == ["mine"]
