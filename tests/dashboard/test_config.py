"""Settings: where they come from, and how a wrong one is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dashboard.config import load_dashboard_settings
from servicekit.settings import SettingsInvalid

STACK = {
    "database_url": "postgresql://stack/database",
    "quotad": "127.0.0.1:7001",
    "quotad_data_token": "data",
    "quotad_admin_token": "admin",
    "proxies": ["http://127.0.0.1:7004", "http://127.0.0.1:7005"],
    "dashboard": "http://127.0.0.1:7003",
    "demo_api_key": "key",
}


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUOTA_DATA_DIR", str(tmp_path))


def test_a_running_stack_gives_what_the_environment_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stack.json").write_text(json.dumps(STACK))
    monkeypatch.setenv("DASHBOARD_QUOTAD_ADDRESS", "127.0.0.1:9")
    settings = load_dashboard_settings()
    assert settings.database_url.get_secret_value() == STACK["database_url"]
    assert settings.quotad_token.get_secret_value() == "admin"
    assert settings.quotad_addresses == ("127.0.0.1:9",)
    assert settings.proxy_url == "http://127.0.0.1:7004"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({}, "DASHBOARD_DATABASE_URL: not set"),
        ({"listen": "nowhere"}, "DASHBOARD_LISTEN: "),
        ({"log_level": "LOUD"}, "DASHBOARD_LOG_LEVEL: "),
        ({"hashes_max": 0}, "DASHBOARD_HASHES_MAX: "),
        ({"proxy_url": "proxy:8080"}, "DASHBOARD_PROXY_URL: "),
        ({"bootstrap_token": "two\nlines"}, "DASHBOARD_BOOTSTRAP_TOKEN: "),
        ({"tls_cert": "cert.pem"}, "DASHBOARD_TLS_CERT and DASHBOARD_TLS_KEY go together"),
    ],
)
def test_a_wrong_setting_is_named_without_its_value(flags: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsInvalid) as raised:
        load_dashboard_settings(**flags)
    assert said in str(raised.value)
    assert "two" not in str(raised.value)


def test_no_secret_is_in_what_the_settings_print() -> None:
    settings = load_dashboard_settings(
        database_url="postgresql://user:word@host/name", quotad_token="word", bootstrap_token="word"
    )
    assert "word" not in repr(settings)
