"""Settings from flags, the environment, an optional `.env` and secret files; a wrong one is named, never guessed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Self, TypeVar

from pydantic import SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from servicekit.database import DatabaseUrlInvalid, asyncpg_url
from servicekit.listening import Listen

Settings = TypeVar("Settings", bound=BaseSettings)

SECRETS_DIR = Path("/run/secrets")
"""Where container engines mount secrets: a file `quotad_database_url` there is QUOTAD_DATABASE_URL."""


class SettingsInvalid(ValueError):
    """One line per wrong setting, by the name of its environment variable; never its value."""


class ServiceSettings(BaseSettings):
    """What every service has: its listeners, what protects them, and its log. Each adds its prefix and defaults."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True)

    listen: str
    metrics_listen: str
    """Readiness and metrics; port 0 takes a free one and logs it."""
    metrics_token: SecretStr = SecretStr("")
    """Asked for where the metrics listener is not loopback."""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    insecure: bool = False
    """Listen beyond loopback without TLS."""
    log_level: str = "INFO"

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

    @model_validator(mode="after")
    def _has_a_whole_certificate(self) -> Self:
        require_pair(self, "tls_cert", "tls_key")
        return self


class HttpServiceSettings(ServiceSettings):
    """What every service with an HTTP listener has besides."""

    trusted_proxies: str = ""
    """Addresses of TLS terminators whose X-Forwarded-* count, separated by commas."""

    @property
    def has_tls(self) -> bool:
        """TLS here, or at a terminator that is named."""
        return self.tls_cert is not None or bool(self.trusted_proxies.strip())


def load_settings(cls: type[Settings], **flags: object) -> Settings:
    """Read the settings; a flag that is not None wins over the environment, and that over a secret file."""
    given = {name: value for name, value in flags.items() if value is not None}
    if SECRETS_DIR.is_dir():
        given["_secrets_dir"] = SECRETS_DIR
    try:
        return cls(**given)  # type: ignore[arg-type]
    except ValidationError as exc:
        errors = exc.errors(include_input=False, include_url=False)
        raise SettingsInvalid("; ".join(_line(cls, error["loc"], error["msg"]) for error in errors)) from exc


def fill_missing(settings: Settings, values: Mapping[str, object]) -> Settings:
    """The settings with `values` for those that nothing has set."""
    missing = {name: value for name, value in values.items() if name not in settings.model_fields_set}
    return settings.model_copy(update=missing)


def require_pair(settings: BaseSettings, first: str, second: str) -> None:
    """Raise `ValueError`, naming both variables, where only one of the two is set."""
    if (getattr(settings, first) is None) != (getattr(settings, second) is None):
        prefix = settings.model_config.get("env_prefix", "")
        raise ValueError(f"{prefix}{first.upper()} and {prefix}{second.upper()} go together")


def require_database_url(settings: BaseSettings, database_url: str) -> None:
    """Raise `SettingsInvalid`, naming the variable, unless there is a URL of the right form."""
    variable = f"{settings.model_config.get('env_prefix', '')}DATABASE_URL"
    if not database_url:
        raise SettingsInvalid(f"{variable}: not set, and no running stack was found to take it from")
    try:
        asyncpg_url(database_url)
    except DatabaseUrlInvalid as exc:
        raise SettingsInvalid(f"{variable}: {exc}") from exc


def _line(cls: type[BaseSettings], location: tuple[int | str, ...], message: str) -> str:
    message = message.removeprefix("Value error, ")
    if not location:  # several settings do not fit together; the message names them
        return message
    name = "_".join(str(part) for part in location)
    return f"{cls.model_config.get('env_prefix', '')}{name}".upper() + f": {message}"
