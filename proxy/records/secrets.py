"""Secrets at rest: encrypted with one key, from a file of mode 0600 or from the environment."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from tempfile import NamedTemporaryFile

from cryptography.fernet import Fernet, InvalidToken

from proxy.records.accounts import ApiKeyCredentials, Credentials, OAuthCredentials

KEY_BYTES_MAX = 1_024
"""Most that is read of a key file; a key has 44 bytes."""


class SecretKeyUnusable(RuntimeError):
    """The key is missing, malformed or not the one that the secrets were encrypted with; the message says which."""


class SecretBox:
    """Encrypts and decrypts credentials. `source` names the key for error messages."""

    def __init__(self, key: bytes, source: str) -> None:
        try:
            self._fernet = Fernet(key)
        except ValueError as exc:
            raise SecretKeyUnusable(
                f"{source} does not hold a key: it must be 32 bytes in URL-safe base64, on one line"
            ) from exc
        self._source = source

    def seal(self, credentials: Credentials) -> bytes:
        return self._fernet.encrypt(json.dumps(asdict(credentials)).encode())

    def open(self, sealed: bytes) -> Credentials:
        """Raises `SecretKeyUnusable` where the credentials were sealed with another key."""
        try:
            content: dict[str, str] = json.loads(self._fernet.decrypt(sealed))
        except InvalidToken as exc:
            raise SecretKeyUnusable(
                f"the accounts' secrets were encrypted with another key than that in {self._source}: "
                f"put the old key back, or remove the accounts and add them again"
            ) from exc
        return ApiKeyCredentials(**content) if "api_key" in content else OAuthCredentials(**content)


def load_secret_box(key_file: Path, secret_key: str = "") -> SecretBox:
    """The box for `secret_key` where it is given, else for the key in `key_file`, which is made if missing."""
    if secret_key:
        return SecretBox(secret_key.strip().encode(), "PROXY_SECRET_KEY")
    try:
        return SecretBox(_read_or_make(key_file), f"the key file {key_file}")
    except OSError as exc:
        raise SecretKeyUnusable(f"the key file {key_file} cannot be read or made: {exc.strerror}") from exc


def _read_or_make(key_file: Path) -> bytes:
    try:
        return _read(key_file)
    except FileNotFoundError:
        _make(key_file)
        return _read(key_file)


def _read(key_file: Path) -> bytes:
    with key_file.open("rb") as file:
        return file.read(KEY_BYTES_MAX).strip()


def _make(key_file: Path) -> None:
    """Make the key unless another process was faster; nobody ever sees half a key, since linking is atomic."""
    key_file.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=key_file.parent, prefix=f".{key_file.name}.") as file:  # of mode 0600
        file.write(Fernet.generate_key() + b"\n")
        file.flush()
        os.fsync(file.fileno())
        try:
            os.link(file.name, key_file)
        except FileExistsError:
            return
