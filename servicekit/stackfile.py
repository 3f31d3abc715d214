"""`stack.json`: where a running `quotad up` says how to reach its parts, so that commands beside it just work."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NotRequired, TypedDict, cast

NAME = "stack.json"
DATA_DIR_VARIABLE = "QUOTA_DATA_DIR"
DEFAULT_DATA_DIR = Path(".data")


class StackFile(TypedDict):
    """The content of the ready file and of `stack.json`; URLs have no trailing slash."""

    database_url: str
    quotad: str
    quotad_data_token: str
    quotad_admin_token: str
    proxies: list[str]
    dashboard: str
    demo_api_key: str
    metrics: NotRequired[dict[str, str]]
    """Base URL of each child's readiness and metrics listener, by the child's name."""
    postgres_password: NotRequired[str]
    """Of the embedded database, kept here while another database is in use."""


def data_dir() -> Path:
    """The data directory that the environment names, else `.data` in the working directory."""
    return Path(os.environ.get(DATA_DIR_VARIABLE) or DEFAULT_DATA_DIR)


def read_stack(directory: Path | None = None) -> StackFile | None:
    """The running stack's file, or None where there is none that can be read."""
    try:
        content = json.loads(((directory or data_dir()) / NAME).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return cast("StackFile", content)
