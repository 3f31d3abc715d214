"""What an operator can set about `quotad up`: its flags, and the few `QUOTAD_*` variables that concern it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


@dataclass(frozen=True, slots=True)
class Options:
    """The flags of `quotad up`."""

    data_dir: Path
    proxies: int = 2
    ready_file: Path | None = None
    port_base: int | None = None
    """The first port of all; None: the default ports."""


class StackSettings(BaseSettings):
    """What the environment or `.env` already decides."""

    model_config = SettingsConfigDict(env_prefix="QUOTAD_", env_file=".env", extra="ignore", frozen=True)

    database_url: SecretStr = SecretStr("")
    """A database of the operator's own; empty: the embedded one."""
    bootstrap_data_token: SecretStr = SecretStr("")
    bootstrap_admin_token: SecretStr = SecretStr("")
    """Empty: made once and kept in the data directory."""
