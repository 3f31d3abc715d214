"""Calls to upstreams beside the relayed requests: token refreshes, usage, lists of models. Bounded in time and size."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import httpx2

ANSWER_BYTES_MAX = 4 * 1024 * 1024
"""Largest answer that is read; a list of a thousand models has 200 kB."""
CONNECTIONS_MAX = 20
"""At a time: one refresh or usage fetch per account, and the lists of models that callers ask for."""
CODE_CHARACTERS_MAX = 64
"""Most that is kept of an error's code, which the token endpoint chooses."""

TRANSIENT_CODES = frozenset(("temporarily_unavailable", "server_error", "slow_down", "rate_limit_exceeded"))
"""OAuth errors that say nothing about the refresh token."""

Json = dict[str, Any]


class OutgoingFailed(Exception):
    """No usable answer, perhaps next time; `status` is the HTTP status where there was one."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class GrantRefused(Exception):
    """The token endpoint's definite no: this refresh token will never work again."""

    def __init__(self, code: str) -> None:
        super().__init__(f"the token endpoint refused the refresh token: {code}")
        self.code = code


@dataclass(frozen=True, slots=True)
class TokenGrant:
    """What a refresh gave; empty where the endpoint left it out, so that the old one stays."""

    access_token: str = field(repr=False)
    refresh_token: str = field(default="", repr=False)
    id_token: str = field(default="", repr=False)


class Outgoing:
    """One bounded HTTP client for all of them."""

    def __init__(self, timeout_seconds: float) -> None:
        self.timeout_seconds = timeout_seconds
        """Longest that any of the calls takes."""
        self._client = httpx2.AsyncClient(
            timeout=timeout_seconds,
            limits=httpx2.Limits(max_connections=CONNECTIONS_MAX),
            follow_redirects=False,
            trust_env=False,
        )

    async def __aenter__(self) -> Outgoing:
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._client.aclose()

    async def refresh_tokens(self, token_url: str, client_id: str, refresh_token: str) -> TokenGrant:
        """Use a refresh token up (RFC 6749, section 6). Raises `GrantRefused` or, undecided, `OutgoingFailed`."""
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": client_id}
        status, content = await self._send("POST", token_url, data={name: form[name] for name in form if form[name]})
        if status == 200:
            return _grant(content)
        code = _refusal_code(status, content)
        if code is None:
            raise OutgoingFailed(f"the token endpoint answered {status}", status)
        raise GrantRefused(code)

    async def models(self, base_url: str, headers: Mapping[str, str]) -> tuple[Json, ...]:
        """The models of an upstream as it lists them. Raises `OutgoingFailed`."""
        status, content = await self._send("GET", f"{base_url}/models", headers=dict(headers))
        items = content.get("data") if isinstance(content, dict) else None
        if status != 200 or not isinstance(items, list):
            raise OutgoingFailed(f"the upstream's list of models could not be read: status {status}", status)
        return tuple(item for item in items if isinstance(item, dict) and isinstance(item.get("id"), str))

    async def usage(self, usage_url: str, headers: Mapping[str, str]) -> Json:
        """What an account's usage URL answers. Raises `OutgoingFailed`."""
        status, content = await self._send("GET", usage_url, headers=dict(headers))
        if status != 200 or not isinstance(content, dict):
            raise OutgoingFailed(f"the upstream did not tell its usage: status {status}", status)
        return content

    async def _send(self, method: str, url: str, **options: Any) -> tuple[int, object]:
        """The status and the JSON of an answer; None for what is no JSON."""
        try:
            async with (
                asyncio.timeout(self.timeout_seconds),
                self._client.stream(method, url, **options) as response,
            ):
                body = await _read(response)
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as exc:
            raise OutgoingFailed(f"no usable answer: {type(exc).__name__}") from exc
        return response.status_code, _parsed(body)


async def _read(response: httpx2.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > ANSWER_BYTES_MAX:
            raise OutgoingFailed(f"the answer is larger than {ANSWER_BYTES_MAX} bytes", response.status_code)
    return bytes(body)


def _parsed(body: bytes) -> object:
    try:
        parsed: object = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return parsed


def _grant(content: object) -> TokenGrant:
    fields = content if isinstance(content, dict) else {}
    tokens = {name: fields.get(name) or "" for name in ("access_token", "refresh_token", "id_token")}
    if not tokens["access_token"] or not all(isinstance(token, str) for token in tokens.values()):
        raise OutgoingFailed("the token endpoint answered without an access token", 200)
    return TokenGrant(**tokens)


def _refusal_code(status: int, content: object) -> str | None:
    """The OAuth error of a definite refusal; None where the answer decides nothing, a web page for example."""
    if status not in (400, 401) or not isinstance(content, dict):
        return None
    error = content.get("error")
    code = error.get("code") or error.get("type") if isinstance(error, dict) else error
    if not isinstance(code, str) or code in TRANSIENT_CODES:
        return None
    return "".join(character for character in code if character.isprintable())[:CODE_CHARACTERS_MAX]
