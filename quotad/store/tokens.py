"""The tokens with which services authenticate to the daemon; only their hashes are stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from quotad.store import statements
from quotad.store.configuration import secret_hash
from quotad.store.connections import Connections


class TokenRole(StrEnum):
    """`data` may reserve, settle and read; `admin` may also edit."""

    DATA = "data"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Token:
    """Who calls, and what it may do."""

    name: str
    role: TokenRole


class Tokens:
    """The service tokens."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def put(self, name: str, secret: str, role: TokenRole) -> None:
        """Make `secret` the one token of this name; safe to repeat."""
        digest = secret_hash(secret)
        async with self._connections.acquire() as connection, connection.transaction():
            await connection.execute(statements.PUT_TOKEN, digest, name, role.value)
            await connection.execute(statements.DROP_OTHER_TOKENS, name, digest)

    async def load(self) -> Mapping[bytes, Token]:
        """All tokens by the SHA-256 of their secret."""
        async with self._connections.acquire() as connection:
            rows = await connection.fetch(statements.TOKENS)
        return {row["token_hash"]: Token(row["name"], TokenRole(row["role"])) for row in rows}
