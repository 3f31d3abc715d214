"""The service tokens that a daemon knows, read again every few seconds: a revoked one soon stops working."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Mapping

import structlog

from quotad.errors import CallerUnauthenticated, Unavailable
from quotad.store.tokens import Token, Tokens

REFRESH_SECONDS = 1.0
"""How long a revoked token may go on working."""
READ_SECONDS_MAX = 10.0

log = structlog.get_logger(__name__)


class TokenBook:
    """Tokens by the SHA-256 of their secret; comparing digests leaks nothing about the secret."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._known: Mapping[bytes, Token] = {}
        self._active: frozenset[Token] = frozenset()

    @property
    def is_empty(self) -> bool:
        return not self._known

    def caller(self, metadata: Iterable[tuple[str, str | bytes]]) -> Token:
        """Whose bearer token this is; raises `CallerUnauthenticated`."""
        given = next((value for name, value in metadata if name == "authorization"), "")
        scheme, _, secret = str(given).partition(" ")
        if scheme.lower() != "bearer" or not secret:
            raise CallerUnauthenticated("a service token is needed: authorization: Bearer <token>")
        token = self._known.get(hashlib.sha256(secret.encode()).digest())
        if token is None:
            raise CallerUnauthenticated("this service token is unknown")
        return token

    def require_active(self, token: Token) -> None:
        """Raise `CallerUnauthenticated` where a token that opened a stream has been revoked since, or changed."""
        if token not in self._active:
            raise CallerUnauthenticated("this service token has been revoked")

    async def read(self) -> None:
        """Raises `Unavailable`; what was known before stays known."""
        async with asyncio.timeout(READ_SECONDS_MAX):
            self._known = await self._tokens.load()
        self._active = frozenset(self._known.values())

    async def try_read(self) -> None:
        """After an edit, so that it counts at once; where that fails, `keep_fresh` sees to it."""
        try:
            await self.read()
        except (Unavailable, TimeoutError) as error:
            log.warning("service tokens not read again", error=str(error))

    async def keep_fresh(self, stopping: asyncio.Event) -> None:
        """Read again until told to stop; while the database is away the tokens known before stay good."""
        while not stopping.is_set():
            try:
                async with asyncio.timeout(REFRESH_SECONDS):
                    await stopping.wait()
            except TimeoutError:
                pass
            try:
                await self.try_read()
            except Exception:
                # The tokens as last read stay in force; without this loop none could be revoked any more.
                log.exception("service tokens not read again")
