"""Secrets for the account commands: from options, or from standard input so that no process list shows them."""

from __future__ import annotations

import getpass
import sys

from proxy.records.accounts import AccountInvalid, ApiKeyCredentials, Credentials, OAuthCredentials

FROM_INPUT = "-"
SECRET_CHARACTERS_MAX = 100_000
"""Longest line read for one secret; an id token has a few thousand."""


def read_secrets(*values: str) -> tuple[str, ...]:
    """The values, each `-` replaced by the next line of standard input."""
    return tuple(_next_line() if value == FROM_INPUT else value for value in values)


def credentials_from_options(api_key: str, access_token: str, refresh_token: str, id_token: str) -> Credentials:
    """A static key or a token pair; raises `AccountInvalid` where neither or both are given."""
    has_tokens = bool(access_token or refresh_token or id_token)
    if api_key and has_tokens:
        raise AccountInvalid("give --api-key or --access-token with --refresh-token, not both")
    if api_key:
        return ApiKeyCredentials(api_key)
    if access_token and refresh_token:
        return OAuthCredentials(access_token, refresh_token, id_token)
    raise AccountInvalid("give --api-key, or --access-token with --refresh-token, --token-url and --client-id")


def _next_line() -> str:
    if sys.stdin.isatty():
        return getpass.getpass("secret: ").strip()
    return sys.stdin.readline(SECRET_CHARACTERS_MAX).strip()
