"""The operator's password as an argon2id hash (RFC 9106's parameters for little memory, by argon2-cffi)."""

from __future__ import annotations

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from dashboard.errors import PasswordTooLong, PasswordTooShort

CHARACTERS_MIN = 8
CHARACTERS_MAX = 1024
"""Longer ones are refused before they are hashed."""


class Passwords:
    """Hashes in threads, `hashes_max` at a time; others wait, as many as the limits on attempts let through."""

    def __init__(self, hasher: PasswordHasher, hashes_max: int) -> None:
        self._hasher = hasher
        self._turns = asyncio.Semaphore(hashes_max)

    async def hash(self, password: str) -> str:
        async with self._turns:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def is_right(self, password_hash: str, password: str) -> bool:
        """Compares in constant time; a hash that cannot be read matches nothing."""
        if len(password) > CHARACTERS_MAX:
            return False
        async with self._turns:
            return await asyncio.to_thread(self._verify, password_hash, password)

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False


def check_new_password(password: str) -> None:
    """Raise `PasswordTooShort` or `PasswordTooLong`."""
    if len(password) < CHARACTERS_MIN:
        raise PasswordTooShort(CHARACTERS_MIN)
    if len(password) > CHARACTERS_MAX:
        raise PasswordTooLong(CHARACTERS_MAX)
