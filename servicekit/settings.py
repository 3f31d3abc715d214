"""Settings from the environment, an optional `.env` and flags; a wrong one is named, never guessed."""

from __future__ import annotations

from typing import TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings

Settings = TypeVar("Settings", bound=BaseSettings)


class SettingsInvalid(ValueError):
    """One line per wrong setting, by the name of its environment variable; never its value."""


def load_settings(cls: type[Settings], **flags: object) -> Settings:
    """Read the settings; a flag that is not None wins over the environment."""
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return cls(**given)  # type: ignore[arg-type]
    except ValidationError as exc:
        prefix = cls.model_config.get("env_prefix", "")
        lines = (
            f"{prefix}{'_'.join(str(part) for part in error['loc'])}".upper() + f": {error['msg']}"
            for error in exc.errors(include_input=False, include_url=False)
        )
        raise SettingsInvalid("; ".join(lines)) from exc
