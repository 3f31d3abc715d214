"""The token that sets the first password: it shows that its bearer can read the output of the service's start."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field

TOKEN_BYTES = 24


@dataclass(frozen=True, slots=True)
class BootstrapToken:
    """One start's token. It is spent when a password is in the database, whoever set that."""

    value: str = field(repr=False)
    is_given: bool
    """The operator knows it already: it need not be said, and so stands in no log."""

    @classmethod
    def given_or_new(cls, given: str) -> BootstrapToken:
        return cls(given or secrets.token_urlsafe(TOKEN_BYTES), bool(given))

    def is_right(self, token: str) -> bool:
        """Compare in constant time."""
        return hmac.compare_digest(self.value.encode(), token.encode())
