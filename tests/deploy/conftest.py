"""The compose file as compose reads it: merged, and with its variables filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.processes import REPOSITORY

COMPOSE_FILE = REPOSITORY / "docker-compose.yml"
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::-(?P<default>[^}]*)|:\?[^}]*)?\}")


@dataclass(frozen=True, slots=True)
class ComposeFile:
    """The file, filled in with `environment`."""

    content: Mapping[str, Any]
    variables: frozenset[str]
    """Names of the variables that it reads."""

    @property
    def services(self) -> Mapping[str, Mapping[str, Any]]:
        services: Mapping[str, Mapping[str, Any]] = self.content["services"]
        return services


def compose_file(environment: Mapping[str, str]) -> ComposeFile:
    text = COMPOSE_FILE.read_text("utf-8")
    filled = VARIABLE.sub(lambda found: environment.get(found["name"]) or found["default"] or "", text)
    return ComposeFile(yaml.safe_load(filled), frozenset(found["name"] for found in VARIABLE.finditer(text)))


def read_environment(path: Path) -> dict[str, str]:
    """The variables that an `.env` file sets, or names behind a `#` as those that it could set."""
    lines = (line.lstrip("#") for line in path.read_text("utf-8").splitlines())
    return dict(line.split("=", 1) for line in lines if re.match(r"\w+=", line))


@pytest.fixture
def compose() -> ComposeFile:
    return compose_file({"QUOTAD_DATA_TOKEN": "data-token-of-a-test", "QUOTAD_ADMIN_TOKEN": "admin-token-of-a-test"})
