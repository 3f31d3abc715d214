"""Settings from flags, the environment, an optional `.env` and secret files; a wrong one is named, never guessed."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings

Settings = TypeVar("Settings", bound=BaseSettings)

SECRETS_DIR = Path("/run/secrets")
"""Where container engines mount secrets: a file `quotad_database_url` there is QUOTAD_DATABASE_URL."""


class SettingsInvalid(ValueError):
    """One line per wrong setting, by the name of its environment variable; never its value."""


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


def _line(cls: type[BaseSettings], location: tuple[int | str, ...], message: str) -> str:
    message = message.removeprefix("Value error, ")
    if not location:  # several settings do not fit together; the message names them
        return message
    name = "_".join(str(part) for part in location)
    return f"{cls.model_config.get('env_prefix', '')}{name}".upper() + f": {message}"
