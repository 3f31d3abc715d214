"""The accounts' credentials at rest, sealed with one key."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from proxy.records.accounts import ApiKeyCredentials, Credentials, OAuthCredentials
from servicekit.sealing import OtherKey, Sealer, SecretKeyUnusable, load_key

__all__ = ["SecretBox", "SecretKeyUnusable", "load_secret_box"]


class SecretBox:
    """Encrypts and decrypts credentials. `source` names the key for error messages."""

    def __init__(self, key: bytes, source: str) -> None:
        self._sealer = Sealer(key, source)

    def seal(self, credentials: Credentials) -> bytes:
        return self._sealer.seal(json.dumps(asdict(credentials)).encode())

    def open(self, sealed: bytes) -> Credentials:
        """Raises `SecretKeyUnusable` where the credentials were sealed with another key."""
        try:
            content: dict[str, str] = json.loads(self._sealer.open(sealed))
        except OtherKey as exc:
            raise SecretKeyUnusable(
                f"the accounts' secrets were encrypted with another key than that in {exc.source}: "
                f"put the old key back, or remove the accounts and add them again"
            ) from exc
        return ApiKeyCredentials(**content) if "api_key" in content else OAuthCredentials(**content)


def load_secret_box(key_file: Path, secret_key: str = "") -> SecretBox:
    """The box for `secret_key` where it is given, else for the key in `key_file`, which is made if missing."""
    return SecretBox(*load_key(key_file, secret_key, setting="PROXY_SECRET_KEY"))
