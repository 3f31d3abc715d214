"""docs/settings.md lists every setting of every service with its default, and nothing else."""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from servicekit.stackfile import DATA_DIR_VARIABLE, DEFAULT_DATA_DIR
from tests.support.processes import REPOSITORY
from tests.support.settings import variables

PAGE = REPOSITORY / "docs" / "settings.md"
ROW = re.compile(
    r"^\| `(?P<name>[A-Z_]+)` \| (?P<default>[^|]*) \| (?P<unit>[^|]*) \| (?P<meaning>[^|]+) \|$", re.MULTILINE
)
UNITS = {"seconds": "seconds", "bytes": "bytes", "tokens": "tokens", "rows": "rows"}


def rows() -> list[re.Match[str]]:
    return list(ROW.finditer(PAGE.read_text("utf-8")))


def test_the_page_lists_every_setting_once() -> None:
    listed = [row["name"] for row in rows()]
    assert sorted(listed) == sorted({*variables(), DATA_DIR_VARIABLE})


def test_every_default_is_the_programs_own() -> None:
    listed = {row["name"]: row["default"].strip().strip("`") for row in rows()}
    defaults = {name: shown(field) for name, field in variables().items()}
    assert listed == {**defaults, DATA_DIR_VARIABLE: str(DEFAULT_DATA_DIR)}


def test_every_quantity_says_its_unit() -> None:
    quantities = {name for name, field in variables().items() if field.annotation in (int, float)}
    for row in rows():
        if row["name"] in quantities:
            assert row["unit"].strip()
        for word, unit in UNITS.items():
            if f"_{word}" in row["name"].lower() and row["name"] in quantities and "_per_" not in row["name"].lower():
                assert row["unit"].strip() == unit


def shown(field: FieldInfo) -> str:
    """A default as the page writes it; nothing where a setting is empty unless it is set."""
    value = field.get_default(call_default_factory=True)
    match value:
        case None | "":
            return ""
        case SecretStr():
            return value.get_secret_value()
        case bool():
            return str(value).lower()
        case Enum():
            return str(value.value)
        case float():
            return f"{value:g}" if value < 1_000_000 else str(int(value))
        case Path() | int() | str():
            return str(value)
    raise AssertionError(f"no way to show {value!r}")
