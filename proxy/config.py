"""What an operator can set, as `PROXY_*` variables, `.env` or flags. Every bound has its unit in its name."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from proxy.price_overrides import PriceOverride, parse_price_overrides
from proxy.records.settings import RETENTION_DAYS_MAX, RoutingStrategy
from servicekit.listening import Listen
from servicekit.settings import (
    HttpServiceSettings,
    fill_missing,
    load_settings,
    require_database_url,
    require_pair,
)
from servicekit.stackfile import data_dir, read_stack

MIB = 1024 * 1024

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Count = Annotated[int, Field(gt=0)]


class KeyAuth(StrEnum):
    """Whether callers need a key; without one nothing is reserved, so it can be off on loopback only."""

    ON = "on"
    OFF = "off"


class CapOutput(StrEnum):
    """Whether an upstream is told to answer with no more than was granted."""

    OFF = "off"
    ON = "on"


class ProxySettings(HttpServiceSettings):
    """One proxy worker's settings."""

    model_config = SettingsConfigDict(env_prefix="PROXY_")

    listen: str = "127.0.0.1:8080"
    metrics_listen: str = "127.0.0.1:0"

    database_url: str = Field(default="", repr=False)
    database_connections_max: Count = 5
    """A worker's few small queries: account changes and batches of request-log rows."""
    quotad_address: str = "127.0.0.1:50051"
    """`host:port`, several separated by commas."""
    quotad_token: SecretStr = SecretStr("")
    quotad_tls_ca: Path | None = None
    quotad_tls_cert: Path | None = None
    """Shown to a quotad that asks for a client's certificate."""
    quotad_tls_key: Path | None = None
    key_file: Path = Field(default_factory=lambda: data_dir() / "proxy.key")
    """Encrypts the accounts' secrets; made with mode 0600 where it is missing."""
    secret_key: SecretStr = SecretStr("")
    """The content of the key file, where the environment carries it."""
    key_auth: KeyAuth = KeyAuth.ON

    lease_seconds: Seconds = 60.0
    """How long a killed worker's holds live on; renewed while a request runs."""
    quotad_seconds_max: Seconds = 5.0
    """One attempt of a call to quotad."""
    quotad_retry_seconds: Seconds = 3.0
    """A call with its repeats: a restart of quotad is bridged, an outage answers 503 soon."""
    key_cache_seconds: Seconds = 3.0
    """How stale the defaults of a key may be; Reserve alone enforces."""
    key_cache_keys_max: Count = 10_000
    key_stale_seconds: Seconds = 3600.0
    """The same while quotad is away, for keys that may be served then."""

    body_bytes_max: Count = 32 * MIB
    """After decompression."""
    body_containers_max: Count = 2_000_000
    """Objects and arrays of a body, each of which takes 20 times its two bytes in memory."""
    bodies_bytes_max: Count = 512 * MIB
    """All bodies that the worker holds at a time; above it a caller is told to try again."""
    body_seconds_max: Seconds = 120.0
    """From the first to the last byte of a body: 32 MiB at 2 Mbit/s."""
    body_idle_seconds: Seconds = 15.0
    """Between two pieces of a body: a client that drips bytes is let go."""
    event_bytes_max: Count = 16 * MIB
    """One event of an upstream's stream; image results are single events of several MiB."""
    answer_bytes_max: Count = 64 * MIB
    """An upstream's answer that is not a stream."""
    queue_bytes_max: Count = 256 * 1024
    """Between upstream and client of one stream: when it is full the upstream is read no further."""
    streams_max: Count = 1000
    """Requests of one worker at a time; above it a caller is told to try again."""
    key_streams_max: Count = 500
    """The same for one key; requests whose callers have left count, too."""
    ping_seconds: Seconds = 20.0
    """A silent stream gets an SSE comment this often; Codex gives up after 300 s."""

    upstream_connect_seconds: Seconds = 10.0
    upstream_idle_seconds: Seconds = 300.0
    """Between two reads; reasoning models are silent for minutes."""
    upstream_total_seconds: Seconds = 3600.0
    attempts_max: Annotated[int, Field(gt=0, le=16)] = 4
    """Attempts of one request over all accounts, the one after a token refresh included."""
    outgoing_seconds_max: Seconds = 15.0
    """One token refresh, usage fetch or list of models."""
    models_cache_seconds: Seconds = 60.0
    usage_refresh_seconds: Seconds = 60.0
    """Between two fetches of an account's usage, by whichever replica."""
    usage_history_days: Annotated[int, Field(gt=0, le=3_650)] = 8
    """How long samples of usage are kept; the newest of each window stays."""
    header_sample_seconds: Seconds = 15.0
    """Between two samples taken from the `x-codex-*` headers of one account's answers."""
    routing_strategy: RoutingStrategy = RoutingStrategy.USAGE_WEIGHTED
    """This and the next two, and the retention of request logs: until the operator stores settings."""
    sticky: bool = True
    """Requests with one `prompt_cache_key` go to one account while it is usable."""
    hide_pool_limits: bool = False
    """Callers are not told how much of the accounts' windows is used."""
    sticky_keys_max: Count = 10_000
    """Keys whose account is remembered, the least recently used forgotten first."""
    sticky_seconds: Seconds = 3600.0
    """How long an unused key is remembered: as long as upstreams keep prompts."""
    drain_seconds: Seconds = 30.0
    """How long the upstream is read on, for its usage report, after the client left."""
    drain_bytes_max: Count = 64 * MIB
    """Most that is read of one answer after its caller left."""
    drains_max: Count = 500
    """Answers that are read on at a time after their callers left; beyond it the oldest is cut."""
    leave_grace_seconds: Seconds = 1.0
    """The same where nothing of an answer had come yet: an answer that is on its way already has been billed."""
    answer_stop_seconds: Seconds = 20.0
    """How long answers may take to be finished after the worker was told to stop."""
    stop_seconds: Seconds = 10.0
    """How long requests that nobody waits for any more may take after that."""
    settle_wait_seconds: Seconds = 2.0
    """How long a stream's last event waits for its settlement; then that is written to the outbox instead."""
    settle_retry_seconds_max: Seconds = 30.0
    """The longest pause between two tries to deliver a settlement."""
    settle_calls_max: Count = 64
    """Settlements on their way to quotad at a time, after an outage too."""
    settle_stop_seconds: Seconds = 10.0
    """How long settlements may take to be delivered at the very end."""
    settlements_max: Count = 10_000
    """Undelivered settlements in memory; above it no request is admitted."""
    outbox_dir: Path = Field(default_factory=lambda: data_dir() / "outbox")
    """Shared by the workers of a machine; must outlive them, on a local disk."""
    outbox_segment_bytes_max: Count = 4 * MIB
    """A file of the outbox; it is removed when all of its settlements are delivered."""
    outbox_bytes_max: Count = 256 * MIB
    """All files of one worker; beyond it the outbox counts as full."""
    outbox_write_seconds: Seconds = 5.0
    """How long a write may take until the disk counts as away."""
    outbox_adopt_seconds: Seconds = 15.0
    """Between two looks for outboxes whose workers have died."""

    bytes_per_token: Annotated[float, Field(gt=0)] = 3.0
    """UTF-8 bytes of text per input token; conservative for prose and code."""
    image_tokens: int = Field(default=1500, ge=0)
    upstream_context_tokens: int = Field(default=8192, ge=0)
    """Held for context that lies upstream: previous_response_id, file ids."""
    default_output_tokens: Count = 4096
    """Held where neither the request nor its key names a maximum."""
    compact_output_tokens_max: Count = 16_384
    min_output_tokens: Count = 256
    """The least output that a clipped hold may leave."""
    prices: str = ""
    """The operator's own prices of models, as JSON; see `proxy.price_overrides`."""
    metric_models_max: Count = 100
    """Models that have series of their own in metrics; further ones share one."""
    cap_output: CapOutput = CapOutput.OFF
    """`on`: no answer can be longer than what was held for it, so that output never overruns a limit."""

    request_log_rows_max: Count = 10_000
    """Rows waiting for the database; beyond it rows are dropped and counted."""
    request_log_batch_rows: Count = 500
    request_log_flush_seconds: Seconds = 0.5
    request_log_refusals_per_second_max: Annotated[int, Field(ge=0)] = 10
    """Rows of one key that a limit refused; the others of that second are counted in one row for each limit."""
    request_log_addresses_max: Count = 1000
    """Addresses in a minute that get a row of their own for requests with unknown keys; the others share one."""
    request_log_retention_days: Annotated[int, Field(gt=0, le=RETENTION_DAYS_MAX)] = 30
    """Whole UTC days for which rows are kept, until the operator stores settings."""
    rejections_per_second_max: Count = 50
    """Request-log rows for requests that never got as far as a hold; beyond it they are only counted."""

    @field_validator("prices")
    @classmethod
    def _are_prices(cls, value: str) -> str:
        parse_price_overrides(value)
        return value

    @model_validator(mode="after")
    def _has_a_whole_client_certificate(self) -> Self:
        require_pair(self, "quotad_tls_cert", "quotad_tls_key")
        return self

    @model_validator(mode="after")
    def _needs_keys_beyond_loopback(self) -> Self:
        if self.key_auth is KeyAuth.OFF and not Listen.parse(self.listen).is_loopback:
            raise ValueError("PROXY_KEY_AUTH=off needs a loopback address in PROXY_LISTEN")
        return self

    @property
    def needs_key(self) -> bool:
        return self.key_auth is KeyAuth.ON

    @property
    def price_overrides(self) -> tuple[PriceOverride, ...]:
        return parse_price_overrides(self.prices)

    @property
    def quotad_addresses(self) -> tuple[str, ...]:
        return tuple(address.strip() for address in self.quotad_address.split(",") if address.strip())


def load_proxy_settings(**flags: object) -> ProxySettings:
    """Settings from flags, then the environment, then `.env`, then a running stack's `stack.json`.

    Raises `SettingsInvalid`, naming what is wrong or missing.
    """
    settings = load_settings(ProxySettings, **flags)
    stack = read_stack()
    if stack is not None:
        beside = {
            "database_url": stack["database_url"],
            "quotad_address": stack["quotad"],
            "quotad_token": SecretStr(stack["quotad_data_token"]),
        }
        settings = fill_missing(settings, beside)
    require_database_url(settings, settings.database_url)
    return settings
