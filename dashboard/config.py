"""What an operator can set, as `DASHBOARD_*` variables, `.env` or flags. Every bound has its unit in its name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from servicekit.settings import (
    HttpServiceSettings,
    fill_missing,
    load_settings,
    require_database_url,
    require_pair,
)
from servicekit.stackfile import data_dir, read_stack

Seconds = Annotated[float, Field(gt=0, le=366 * 86_400)]
Count = Annotated[int, Field(gt=0)]


class DashboardSettings(HttpServiceSettings):
    """The operator service's settings."""

    model_config = SettingsConfigDict(env_prefix="DASHBOARD_")

    listen: str = "127.0.0.1:8090"
    metrics_listen: str = "127.0.0.1:0"

    database_url: SecretStr = SecretStr("")
    database_connections_max: Count = 5
    """One operator with a few open pages."""
    database_seconds_max: Seconds = 15.0
    """One transaction: free text over a large log takes seconds."""
    quotad_address: str = "127.0.0.1:50051"
    """`host:port`, several separated by commas."""
    quotad_token: SecretStr = SecretStr("")
    """A token of role admin."""
    quotad_tls_ca: Path | None = None
    quotad_tls_cert: Path | None = None
    """Shown to a quotad that asks for a client's certificate."""
    quotad_tls_key: Path | None = None
    quotad_call_seconds: Seconds = 3.0
    """One attempt of a call to quotad."""
    quotad_retry_seconds: Seconds = 4.0
    """A call with its repeats: an operator waits for it."""
    proxy_url: str = ""
    """Base URL of a proxy, shown in ready-made commands."""
    proxy_key_file: Path = Field(default_factory=lambda: data_dir() / "proxy.key")
    """The proxies' key, with which accounts' secrets are encrypted; never made here."""
    proxy_secret_key: SecretStr = SecretStr("")
    """The content of that file, where the environment carries it."""

    bootstrap_token: SecretStr = SecretStr("")
    """Sets the first password; made at each start where it is not given."""
    session_seconds: Seconds = 12 * 3600.0
    """A session ends this long after its sign-in: a working day."""
    session_idle_seconds: Seconds = 2 * 3600.0
    """A session that is not used ends earlier."""
    attempts_per_address_max: Count = 10
    """Failed sign-ins of one address (IPv6: one /64) within a window."""
    attempts_max: Count = 100
    """Failed sign-ins of all addresses within a window: guessing from many addresses does not help."""
    attempts_seconds: Seconds = 900.0
    """Length of the window in which they are counted."""
    code_attempts_max: Count = 20
    """Wrong one-time passwords and recovery codes of all addresses within a window: six digits are soon guessed."""
    totp_setup_seconds: Seconds = 600.0
    """How long a secret that was shown can be confirmed."""
    step_up_seconds: Seconds = 600.0
    """What is dangerous needs the password or a code that was shown within this time."""
    key_file: Path = Field(default_factory=lambda: data_dir() / "dashboard.key")
    """Encrypts the secret of the one-time passwords; made with mode 0600 where it is missing."""
    secret_key: SecretStr = SecretStr("")
    """The content of the key file, where the environment carries it."""
    audit_retention_seconds: Seconds = 365 * 86_400.0
    """How long the dashboard's own changes are kept: a year."""
    hashes_max: Annotated[int, Field(gt=0, le=64)] = 2
    """Passwords that are hashed at a time: each takes 64 MiB."""
    body_bytes_max: Count = 256 * 1024
    """The largest body is a key with 64 limits and 64 models of 256 bytes."""
    body_seconds_max: Seconds = 10.0
    """From a request's head to the end of its small body."""
    exports_max: Count = 2
    """Tables that are written out at a time; each keeps a connection busy."""
    export_seconds_max: Seconds = 3600.0
    """One export, however slowly it is read; then it is cut off."""
    event_streams_max: Count = 32
    """Live pages that are open at a time; further ones poll."""
    event_watch_seconds: Seconds = 1.0
    """Between two looks for changes while any live page is open."""
    event_heartbeat_seconds: Seconds = 10.0
    """A live page hears at least this often, and its session is checked as often."""
    stop_seconds: Seconds = 5.0
    """How long running requests may take after the service was told to stop."""

    @field_validator("proxy_url")
    @classmethod
    def _is_url(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("an http:// or https:// URL")
        return value.rstrip("/")

    @field_validator("bootstrap_token")
    @classmethod
    def _is_token(cls, value: SecretStr) -> SecretStr:
        token = value.get_secret_value()
        if token and not (token.isascii() and token.isprintable() and token == token.strip()):
            raise ValueError("printable ASCII characters without spaces around them")
        return value

    @model_validator(mode="after")
    def _has_a_whole_client_certificate(self) -> Self:
        require_pair(self, "quotad_tls_cert", "quotad_tls_key")
        return self

    @property
    def quotad_addresses(self) -> tuple[str, ...]:
        return tuple(address.strip() for address in self.quotad_address.split(",") if address.strip())


def load_dashboard_settings(**flags: object) -> DashboardSettings:
    """Settings from flags, then the environment, then `.env`, then a running stack's `stack.json`.

    Raises `SettingsInvalid`, naming what is wrong or missing.
    """
    settings = load_settings(DashboardSettings, **flags)
    stack = read_stack()
    if stack is not None:
        beside = {
            "database_url": SecretStr(stack["database_url"]),
            "quotad_address": stack["quotad"],
            "quotad_token": SecretStr(stack["quotad_admin_token"]),
            "proxy_url": next(iter(stack["proxies"]), ""),
        }
        settings = fill_missing(settings, beside)
    require_database_url(settings, settings.database_url.get_secret_value())
    return settings
