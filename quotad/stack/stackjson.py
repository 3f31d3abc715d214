"""`stack.json` as the place of what must outlive an `up`: its secrets, made once."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from quotad.stack.datadir import DataDirectory, write_private
from quotad.stack.settings import StackSettings
from servicekit.stackfile import StackFile, read_stack

SECRET_BYTES = 32
BOOTSTRAP_TOKEN_VARIABLE = "DASHBOARD_BOOTSTRAP_TOKEN"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Secrets:
    """Never shown but for the demo key and the bootstrap token; passed to children by environment."""

    data_token: str = field(repr=False)
    admin_token: str = field(repr=False)
    postgres_password: str = field(repr=False)
    knows_postgres_password: bool
    """False where an existing cluster may have another one: no earlier start has noted it down."""
    demo_api_key: str = field(repr=False)
    """Empty until it was made."""
    bootstrap_token: str = field(repr=False)
    """For the dashboard's first sign-in; another one at each start."""


def load_secrets(directory: DataDirectory, settings: StackSettings) -> Secrets:
    """The environment's tokens, else those of the last start, else new ones."""
    known: StackFile | dict[str, str] = read_stack(directory.path) or {}
    password = str(known.get("postgres_password", ""))
    is_embedded = not settings.database_url.get_secret_value()
    return Secrets(
        settings.bootstrap_data_token.get_secret_value() or str(known.get("quotad_data_token", "")) or _new(),
        settings.bootstrap_admin_token.get_secret_value() or str(known.get("quotad_admin_token", "")) or _new(),
        password or (_new() if is_embedded else ""),
        bool(password),
        str(known.get("demo_api_key", "")),
        os.environ.get(BOOTSTRAP_TOKEN_VARIABLE) or _new(),
    )


def write_content(path: Path, content: StackFile) -> None:
    """Write `stack.json` or the ready file, whole or not at all."""
    write_private(path, json.dumps(content, indent=2) + "\n")


def _new() -> str:
    return secrets.token_urlsafe(SECRET_BYTES)
