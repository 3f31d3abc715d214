"""docs/dependencies.md gives a reason for every package that is asked for, and for no other."""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter

from tests.support.processes import REPOSITORY

ROW = re.compile(r"^\| `(?P<name>[^`]+)` \| (?P<reason>[^|]+) \|$", re.MULTILINE)
NPM_FOLDERS = ("dashboard/web", "tests/browser", "tests/clients", "docs/examples/node")


def python_packages() -> set[str]:
    content = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    project = content["project"]
    groups = [
        project["dependencies"],
        *project["optional-dependencies"].values(),
        *content["dependency-groups"].values(),
    ]
    return {re.split(r"[<>=\[]", requirement)[0] for group in groups for requirement in group}


def npm_packages() -> set[str]:
    files = [json.loads((REPOSITORY / folder / "package.json").read_text("utf-8")) for folder in NPM_FOLDERS]
    return {name for file in files for kind in ("dependencies", "devDependencies") for name in file.get(kind, {})}


def test_every_package_has_its_reason() -> None:
    page = (REPOSITORY / "docs" / "dependencies.md").read_text("utf-8")
    assert Counter(row["name"] for row in ROW.finditer(page)) == Counter(python_packages() | npm_packages())
