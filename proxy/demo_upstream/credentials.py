"""Which credentials the demo upstream accepts, and its token endpoint with rotating refresh tokens.

By default any bearer token is accepted, as is any refresh token that was never used; `strict` accepts only what was
made known or issued here. A refresh token works once: who uses it again has lost the account, as with real ones.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from proxy.demo_upstream.answers import Json

Value = TypeVar("Value")

ACCESS_TOKEN_SECONDS = 3_600.0
TOKENS_MAX = 10_000
"""Tokens remembered per kind; a demo that runs for months forgets the oldest."""


class GrantRefused(Exception):
    """The token endpoint's definite no, with its OAuth error code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What a refresh answers."""

    access_token: str
    refresh_token: str
    expires_in_seconds: float

    def as_json(self) -> Json:
        return {
            "access_token": self.access_token,
            "refresh_token": self.refresh_token,
            "token_type": "Bearer",
            "expires_in": int(self.expires_in_seconds),
        }


class Credentials:
    """The tokens of the demo upstream. Times are seconds of the clock that is passed in."""

    def __init__(self, clock: Callable[[], float], *, strict: bool) -> None:
        self._clock = clock
        self.strict = strict
        self.access_token_seconds = ACCESS_TOKEN_SECONDS
        self.refreshes = 0
        """Pairs issued; what a single-flight refresh is measured by."""
        self._known: set[str] = set()
        self._expiry: dict[str, float] = {}
        self._refresh_tokens: set[str] = set()
        self._used: dict[str, None] = {}

    def make_known(self, *, access: list[str], refresh: list[str]) -> None:
        """Accept these bearer tokens and these refresh tokens, also when strict."""
        self._known.update(access)
        self._refresh_tokens.update(refresh)
        for token in access:
            self._expiry.pop(token, None)

    def accepts(self, token: str) -> bool:
        """Whether a request with this bearer token is let in now."""
        expiry = self._expiry.get(token)
        if expiry is not None:
            return self._clock() < expiry
        return bool(token) and (not self.strict or token in self._known)

    def expire(self, token: str) -> None:
        """Refuse this bearer token from now on."""
        self._known.discard(token)
        _remember(self._expiry, token, self._clock())

    def refresh(self, refresh_token: str) -> TokenPair:
        """Use a refresh token up for a new pair; raises `GrantRefused`."""
        is_unknown = self.strict and refresh_token not in self._refresh_tokens
        if not refresh_token or refresh_token in self._used or is_unknown:
            raise GrantRefused("invalid_grant")
        self._refresh_tokens.discard(refresh_token)
        _remember(self._used, refresh_token, None)
        pair = TokenPair(
            f"demo-access-{secrets.token_urlsafe(16)}",
            f"demo-refresh-{secrets.token_urlsafe(16)}",
            self.access_token_seconds,
        )
        self._refresh_tokens.add(pair.refresh_token)
        _remember(self._expiry, pair.access_token, self._clock() + pair.expires_in_seconds)
        self.refreshes += 1
        return pair


def _remember(tokens: dict[str, Value], token: str, value: Value) -> None:
    tokens.pop(token, None)
    tokens[token] = value
    if len(tokens) > TOKENS_MAX:
        del tokens[next(iter(tokens))]
