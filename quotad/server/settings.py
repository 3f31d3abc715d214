"""What an operator can set, as `QUOTAD_*` variables, `.env` or flags. Every bound has its unit in its name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from quotad.store import StoreSettings
from quotad.store.cache import CacheBounds
from servicekit.settings import ServiceSettings, fill_missing, load_settings, require_database_url
from servicekit.stackfile import read_stack

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Count = Annotated[int, Field(gt=0)]
LongSeconds = Annotated[float, Field(gt=0, le=10 * 366 * 86_400)]

TOKEN_CHARACTERS_MIN = 16
"""Shorter than that a service token can be guessed."""


class DaemonSettings(ServiceSettings):
    """One daemon's settings."""

    model_config = SettingsConfigDict(env_prefix="QUOTAD_")

    database_url: SecretStr = SecretStr("")
    listen: str = "127.0.0.1:50051"
    metrics_listen: str = "127.0.0.1:9464"
    bootstrap_data_token: SecretStr = SecretStr("")
    bootstrap_admin_token: SecretStr = SecretStr("")
    tls_client_ca: Path | None = None
    """Callers must then show a certificate that one of these has signed, besides their token."""

    workers: Annotated[int, Field(gt=0, le=256)] = 1
    """Processes on the one port, each with its own database connections: one for each core is a good number."""
    default_lease_seconds: Seconds = 120.0
    """Lease of a reservation that names none, and the time that clients get to renew after an outage."""
    database_connections: Count = 8
    """For everything but batches, which have 4 of their own: each of those does thousands of operations a second."""
    queue_max: Count = 10_000
    """Operations that may wait for a batch before further ones are refused as OVERLOADED."""
    cached_keys_max: Count = 20_000
    """Keys whose limits are remembered, shared out among tenants; some 3 KiB each."""
    cached_windows_max: Count = 100_000
    """Windows whose counters are remembered, shared out among tenants; some 0.5 KiB each."""
    cached_reservations_max: Count = 50_000
    """Open reservations that are remembered; some 2 KiB each."""
    statement_timeout_seconds: Seconds = 5.0
    lock_timeout_seconds: Seconds = 3.0
    call_seconds_max: Seconds = 15.0
    """A call whose caller names no deadline, or a later one: longer than a statement and its wait for a connection."""
    stream_seconds_max: Seconds = 1800.0
    """Streams end now and then, so that callers find their way to daemons that were added."""
    stop_seconds: Seconds = 10.0
    """How long accepted calls may take after the daemon was told to stop."""

    horizon_seconds: LongSeconds = 7 * 86_400.0
    """How long a settled reservation is kept, so that a repeat is recognised; senders give up before it ends."""
    usage_retention_seconds: LongSeconds = 400 * 86_400.0
    """How long hourly usage totals are kept: a year and a month."""
    refusal_retention_seconds: LongSeconds = 30 * 86_400.0
    """How long counts and samples of refusals are kept."""
    refusal_entries_max: Count = 100_000
    """Counts of refusals, by key, limit and minute, that may wait to be written; further ones are dropped."""
    purge_batch_rows: Count = 500
    """Rows deleted in one transaction: few, so that nobody waits long for the windows that they touch."""
    purge_pause_seconds: Seconds = 1.0
    """Between two looks at what is due."""
    audit_pause_seconds: Annotated[float, Field(ge=0, le=10 * 366 * 86_400)] = 3600.0
    """Between two checks of conservation, each of which reads the whole ledger; 0 for none."""
    audit_seconds_max: Seconds = 60.0
    """Longest check; a ledger that takes longer is checked by `quotad audit`."""

    @field_validator("bootstrap_data_token", "bootstrap_admin_token")
    @classmethod
    def _is_token(cls, value: SecretStr) -> SecretStr:
        token = value.get_secret_value()
        if token and (len(token) < TOKEN_CHARACTERS_MIN or not token.isascii() or not token.isprintable()):
            raise ValueError(f"a token has at least {TOKEN_CHARACTERS_MIN} printable ASCII characters")
        return value

    @model_validator(mode="after")
    def _asks_for_certificates_under_tls(self) -> Self:
        if self.tls_client_ca is not None and self.tls_cert is None:
            raise ValueError("QUOTAD_TLS_CLIENT_CA needs QUOTAD_TLS_CERT and QUOTAD_TLS_KEY")
        return self

    @model_validator(mode="after")
    def _has_two_tokens(self) -> Self:
        data, admin = self.bootstrap_data_token.get_secret_value(), self.bootstrap_admin_token.get_secret_value()
        if data and data == admin:
            raise ValueError("QUOTAD_BOOTSTRAP_DATA_TOKEN and QUOTAD_BOOTSTRAP_ADMIN_TOKEN must differ")
        return self

    def store_settings(self) -> StoreSettings:
        return StoreSettings(
            database_url=self.database_url.get_secret_value(),
            connections=self.database_connections,
            queue_max=self.queue_max,
            cache=CacheBounds(
                keys=self.cached_keys_max,
                windows=self.cached_windows_max,
                reservations=self.cached_reservations_max,
            ),
            statement_timeout_seconds=self.statement_timeout_seconds,
            lock_timeout_seconds=self.lock_timeout_seconds,
            default_lease_seconds=self.default_lease_seconds,
            horizon_seconds=self.horizon_seconds,
            usage_retention_seconds=self.usage_retention_seconds,
            refusal_retention_seconds=self.refusal_retention_seconds,
            refusal_entries_max=self.refusal_entries_max,
            purge_batch_rows=self.purge_batch_rows,
            purge_pause_seconds=self.purge_pause_seconds,
            audit_seconds_max=self.audit_seconds_max,
        )


def load_daemon_settings(**flags: object) -> DaemonSettings:
    """Settings from flags, then the environment, then `.env`; the database also from a running stack's `stack.json`.

    Raises `SettingsInvalid`, naming what is wrong or missing.
    """
    settings = load_settings(DaemonSettings, **flags)
    stack = read_stack()
    if stack is not None:
        settings = fill_missing(settings, {"database_url": SecretStr(stack["database_url"])})
    require_database_url(settings, settings.database_url.get_secret_value())
    return settings
