"""An account from the `auth.json` that the Codex CLI keeps."""

from __future__ import annotations

import base64
import json
from typing import Any

from proxy.records.accounts import AccountInvalid, ApiKeyCredentials, NewAccount, OAuthCredentials

API_BASE_URL = "https://api.openai.com/v1"
CHATGPT_BASE_URL = "https://chatgpt.com/backend-api/codex"
CHATGPT_USAGE_URL = "https://chatgpt.com/backend-api/wham/usage"
TOKEN_URL = "https://auth.openai.com/oauth/token"  # noqa: S105
CLIENT_ID = "app_EMoamEEZ73f0CkXaXp7hrann"
"""The Codex CLI's own, to which its refresh tokens belong."""

AUTH_CLAIM = "https://api.openai.com/auth"


def account_from_codex(content: bytes, name: str = "") -> NewAccount:
    """Read an `auth.json`: ChatGPT tokens where it has them, else an API key. Raises `AccountInvalid`.

    Without a name the account takes the e-mail address of its id token.
    """
    fields = _object(content)
    tokens = fields.get("tokens")
    if isinstance(tokens, dict) and tokens.get("refresh_token"):
        return _from_tokens(tokens, name)
    api_key = fields.get("OPENAI_API_KEY")
    if isinstance(api_key, str) and api_key:
        return NewAccount(name or "codex", API_BASE_URL, ApiKeyCredentials(api_key))
    raise AccountInvalid("the file holds neither ChatGPT tokens nor an API key: sign in with `codex login` first")


def _from_tokens(tokens: dict[str, Any], name: str) -> NewAccount:
    claims = _claims(_text(tokens, "id_token"))
    auth = claims.get(AUTH_CLAIM)
    claimed_id = _text(auth, "chatgpt_account_id") if isinstance(auth, dict) else ""
    return NewAccount(
        name=name or _text(claims, "email") or "codex",
        base_url=CHATGPT_BASE_URL,
        credentials=OAuthCredentials(
            _text(tokens, "access_token"), _text(tokens, "refresh_token"), _text(tokens, "id_token")
        ),
        token_url=TOKEN_URL,
        client_id=CLIENT_ID,
        chatgpt_account_id=_text(tokens, "account_id") or claimed_id,
        usage_url=CHATGPT_USAGE_URL,
    )


def _claims(id_token: str) -> dict[str, Any]:
    """The unverified claims of a JWT: they only name the account; {} where there are none to read."""
    _, _, rest = id_token.partition(".")
    payload, _, _ = rest.partition(".")
    try:
        return _object(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (AccountInvalid, ValueError):
        return {}


def _object(content: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(content)
    except (ValueError, RecursionError) as exc:
        raise AccountInvalid("the file is not JSON: it must be the auth.json of the Codex CLI") from exc
    if not isinstance(fields, dict):
        raise AccountInvalid("the file is not the auth.json of the Codex CLI")
    return fields


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""
