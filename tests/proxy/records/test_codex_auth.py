"""Reading the Codex CLI's auth.json."""

from __future__ import annotations

import base64
import json

import pytest

from proxy.records.accounts import AccountInvalid, ApiKeyCredentials, OAuthCredentials
from proxy.records.codex_auth import AUTH_CLAIM, account_from_codex


def id_token(**claims: object) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"head.{payload}.signature"


def auth_json(**tokens: str) -> bytes:
    given = {"access_token": "access", "refresh_token": "refresh", **tokens}
    return json.dumps({"OPENAI_API_KEY": None, "tokens": given, "last_refresh": "2026-05-01T00:00:00Z"}).encode()


def test_tokens_make_an_account_that_is_refreshed() -> None:
    token = id_token(email="me@example.com")
    account = account_from_codex(auth_json(id_token=token, account_id="workspace"))
    assert account.name == "me@example.com"
    assert account.credentials == OAuthCredentials("access", "refresh", token)
    assert account.chatgpt_account_id == "workspace"
    assert account.token_url
    assert account.client_id


def test_the_account_id_is_taken_from_the_id_token_where_the_file_has_none() -> None:
    token = id_token(**{AUTH_CLAIM: {"chatgpt_account_id": "claimed"}})
    assert account_from_codex(auth_json(id_token=token), "mine").chatgpt_account_id == "claimed"


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "a.é.c", id_token(email=7)])
def test_an_id_token_that_cannot_be_read_only_costs_the_name(token: str) -> None:
    if token.isascii():
        assert account_from_codex(auth_json(id_token=token)).name == "codex"
    else:
        with pytest.raises(AccountInvalid):
            account_from_codex(auth_json(id_token=token))


def test_an_api_key_makes_a_static_account() -> None:
    account = account_from_codex(b'{"OPENAI_API_KEY": "sk-1"}')
    assert account.credentials == ApiKeyCredentials("sk-1")
    assert account.base_url == "https://api.openai.com/v1"


@pytest.mark.parametrize(
    "content", [b"", b"x", b"[]", b"{}", b'{"tokens": 1}', b'{"tokens": {}}', b"\xff", b"[" * 99_999]
)
def test_a_file_without_credentials_is_refused(content: bytes) -> None:
    with pytest.raises(AccountInvalid):
        account_from_codex(content)
