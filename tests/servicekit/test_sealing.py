"""Secrets at rest; what both services that keep some have in common."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from servicekit.sealing import OtherKey, Sealer, SecretKeyUnusable, load_key


def sealer(key_file: Path) -> Sealer:
    return Sealer(*load_key(key_file, setting="X_SECRET_KEY"))


def test_what_was_sealed_opens_with_the_same_key_alone(tmp_path: Path) -> None:
    sealed = sealer(tmp_path / "one.key").seal(b"secret")
    assert b"secret" not in sealed
    assert sealer(tmp_path / "one.key").open(sealed) == b"secret"
    with pytest.raises(OtherKey, match=r"other\.key"):
        sealer(tmp_path / "other.key").open(sealed)


def test_a_given_key_is_called_by_its_setting(tmp_path: Path) -> None:
    key, name = load_key(tmp_path / "none.key", f"{Fernet.generate_key().decode()}\n", setting="X_SECRET_KEY")
    assert (len(key), name) == (44, "X_SECRET_KEY")
    assert not list(tmp_path.iterdir())
    with pytest.raises(SecretKeyUnusable, match="X_SECRET_KEY does not hold a key"):
        Sealer(*load_key(tmp_path / "none.key", "hunter2", setting="X_SECRET_KEY"))
