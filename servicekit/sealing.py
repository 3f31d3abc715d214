"""Secrets at rest: encrypted with one key, from a file of mode 0600 or from the environment."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import NamedTemporaryFile

from cryptography.fernet import Fernet, InvalidToken

KEY_BYTES_MAX = 1_024
"""Most that is read of a key file; a key has 44 bytes."""


class SecretKeyUnusable(RuntimeError):
    """The key is missing, malformed or not the one that the secrets were encrypted with; the message says which."""


class OtherKey(SecretKeyUnusable):
    """The secret was sealed with another key than that in `source`."""

    def __init__(self, source: str) -> None:
        super().__init__(f"the secret was encrypted with another key than that in {source}")
        self.source = source


class Sealer:
    """Encrypts and decrypts. `source` names the key for error messages."""

    def __init__(self, key: bytes, source: str) -> None:
        try:
            self._fernet = Fernet(key)
        except ValueError as exc:
            raise SecretKeyUnusable(
                f"{source} does not hold a key: it must be 32 bytes in URL-safe base64, on one line"
            ) from exc
        self._source = source

    def seal(self, secret: bytes) -> bytes:
        return self._fernet.encrypt(secret)

    def open(self, sealed: bytes) -> bytes:
        """Raises `OtherKey`."""
        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken as exc:
            raise OtherKey(self._source) from exc


def load_key(key_file: Path, secret_key: str = "", *, setting: str) -> tuple[bytes, str]:
    """A `Sealer`'s key, and what to call it.

    It is `secret_key`, the value of `setting`, where that is given, else the content of `key_file`, which is made if
    missing. Raises `SecretKeyUnusable`.
    """
    if secret_key:
        return secret_key.strip().encode(), setting
    try:
        return _read_or_make(key_file), f"the key file {key_file}"
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
