"""Recovery codes: what stands in for a lost phone. Only their hashes are kept."""

from __future__ import annotations

import hashlib
import secrets

CODES = 10
GROUPS = 4
GROUP_CHARACTERS = 4
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without letters and digits that are taken for one another; 16 of these have 79 bits, so a plain hash is enough."""


def new_codes() -> tuple[str, ...]:
    return tuple("-".join(_group() for _ in range(GROUPS)) for _ in range(CODES))


def hash_of(code: str) -> bytes:
    """The same for a code however it is typed: upper or lower case, with or without its dashes."""
    typed = "".join(character for character in code.lower() if character.isalnum())
    return hashlib.sha256(typed.encode()).digest()


def _group() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(GROUP_CHARACTERS))
