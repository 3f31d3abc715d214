"""What an operator can set, as `QUOTAD_*` variables, `.env` or flags. Every bound has its unit in its name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from quotad.store import StoreSettings
from servicekit.listening import Listen
from servicekit.settings import SettingsInvalid, load_settings
from servicekit.stackfile import read_stack

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Count = Annotated[int, Field(gt=0)]

TOKEN_CHARACTERS_MIN = 16
"""Shorter than that a service token can be guessed."""


class DaemonSettings(BaseSettings):
    """One daemon's settings."""

    model_config = SettingsConfigDict(env_prefix="QUOTAD_", env_file=".env", extra="ignore", frozen=True)

    database_url: SecretStr = SecretStr("")
    listen: str = "127.0.0.1:50051"
    metrics_listen: str = "127.0.0.1:9464"
    """Readiness and metrics; port 0 takes a free one."""
    metrics_token: SecretStr = SecretStr("")
    """Asked for where the metrics listener is not loopback."""
    bootstrap_data_token: SecretStr = SecretStr("")
    bootstrap_admin_token: SecretStr = SecretStr("")
    tls_cert: Path | None = None
    tls_key: Path | None = None
    insecure: bool = False
    """Listen beyond loopback without TLS."""
    log_level: str = "INFO"

    default_lease_seconds: Seconds = 120.0
    """Lease of a reservation that names none, and the time that clients get to renew after an outage."""
    database_connections: Count = 8
    """The hot path needs few: each does thousands of operations a second."""
    queue_max: Count = 1000
    """Operations that may wait for a connection before further ones are refused as OVERLOADED."""
    statement_timeout_seconds: Seconds = 5.0
    lock_timeout_seconds: Seconds = 3.0
    call_seconds_max: Seconds = 15.0
    """A call whose caller names no deadline, or a later one: longer than a statement and its wait for a connection."""
    stop_seconds: Seconds = 10.0
    """How long accepted calls may take after the daemon was told to stop."""

    @field_validator("listen", "metrics_listen")
    @classmethod
    def _is_listen(cls, value: str) -> str:
        Listen.parse(value)
        return value

    @field_validator("log_level")
    @classmethod
    def _is_level(cls, value: str) -> str:
        if value.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            raise ValueError("one of DEBUG, INFO, WARNING, ERROR")
        return value.upper()

    @field_validator("bootstrap_data_token", "bootstrap_admin_token")
    @classmethod
    def _is_token(cls, value: SecretStr) -> SecretStr:
        token = value.get_secret_value()
        if token and (len(token) < TOKEN_CHARACTERS_MIN or not token.isascii() or not token.isprintable()):
            raise ValueError(f"a token has at least {TOKEN_CHARACTERS_MIN} printable ASCII characters")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> DaemonSettings:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("QUOTAD_TLS_CERT and QUOTAD_TLS_KEY go together")
        data, admin = self.bootstrap_data_token.get_secret_value(), self.bootstrap_admin_token.get_secret_value()
        if data and data == admin:
            raise ValueError("QUOTAD_BOOTSTRAP_DATA_TOKEN and QUOTAD_BOOTSTRAP_ADMIN_TOKEN must differ")
        return self

    def store_settings(self) -> StoreSettings:
        return StoreSettings(
            database_url=self.database_url.get_secret_value(),
            connections=self.database_connections,
            queue_max=self.queue_max,
            statement_timeout_seconds=self.statement_timeout_seconds,
            lock_timeout_seconds=self.lock_timeout_seconds,
            default_lease_seconds=self.default_lease_seconds,
        )


def load_daemon_settings(**flags: object) -> DaemonSettings:
    """Settings from flags, then the environment, then `.env`; the database also from a running stack's `stack.json`.

    Raises `SettingsInvalid`, naming what is wrong or missing.
    """
    settings = load_settings(DaemonSettings, **flags)
    stack = read_stack()
    if not settings.database_url.get_secret_value() and stack is not None:
        settings = settings.model_copy(update={"database_url": SecretStr(stack["database_url"])})
    if not settings.database_url.get_secret_value():
        raise SettingsInvalid("QUOTAD_DATABASE_URL: not set, and no running stack was found to take it from")
    return settings
