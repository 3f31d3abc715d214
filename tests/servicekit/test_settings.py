"""Where a setting comes from, and how a wrong one is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from servicekit import settings
from servicekit.settings import SettingsInvalid, load_settings


class KitchenSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="KITCHEN_", env_file=".env", extra="ignore")

    token: SecretStr = SecretStr("")
    ovens: int = 1


@pytest.fixture
def secrets_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "secrets"
    directory.mkdir()
    monkeypatch.setattr(settings, "SECRETS_DIR", directory)
    monkeypatch.chdir(tmp_path)
    return directory


def token() -> str:
    return load_settings(KitchenSettings).token.get_secret_value()


def test_a_secret_may_be_a_mounted_file(secrets_dir: Path) -> None:
    (secrets_dir / "kitchen_token").write_text("from a file\n")
    assert token() == "from a file"


def test_files_of_others_beside_it_change_nothing(secrets_dir: Path) -> None:
    (secrets_dir / "token").write_text("of another program")
    assert token() == ""


def test_the_environment_wins_over_files_and_a_flag_over_the_environment(
    secrets_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (secrets_dir / "kitchen_ovens").write_text("2")
    (secrets_dir.parent / ".env").write_text("KITCHEN_OVENS=3")
    assert load_settings(KitchenSettings).ovens == 3
    monkeypatch.setenv("KITCHEN_OVENS", "4")
    assert load_settings(KitchenSettings).ovens == 4
    assert load_settings(KitchenSettings, ovens=5).ovens == 5


def test_a_machine_without_secret_files_needs_none(secrets_dir: Path) -> None:
    secrets_dir.rmdir()
    assert token() == ""


def test_a_wrong_setting_is_named_without_its_value(secrets_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KITCHEN_OVENS", "many-and-secret")
    with pytest.raises(SettingsInvalid, match=r"^KITCHEN_OVENS: ") as told:
        load_settings(KitchenSettings)
    assert "many-and-secret" not in str(told.value)
