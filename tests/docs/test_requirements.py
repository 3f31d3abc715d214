"""docs/requirements.md has every requirement once, and what it points at is there."""

from __future__ import annotations

import ast
import re

from tests.support.processes import REPOSITORY

PAGE = REPOSITORY / "docs" / "requirements.md"
ROW = re.compile(
    r"^\| (?P<id>[A-Z]\d+) \| [^|]+ \| (?P<state>\w+)(?::[^|]*)? \| (?:`(?P<place>[^`]+)`)? ?\|$", re.MULTILINE
)
COUNTS = {"U": 6, "S": 13, "Q": 7, "C": 6, "D": 7, "B": 10}
IDS = {f"{kind}{number}" for kind, count in COUNTS.items() for number in range(1, count + 1)}
NAMED = re.compile(r"\b[USQCDB]\d{1,2}\b")


def rows() -> list[re.Match[str]]:
    return list(ROW.finditer(PAGE.read_text("utf-8")))


def test_every_requirement_is_there_once() -> None:
    assert sorted(row["id"] for row in rows()) == sorted(IDS)


def test_what_holds_is_shown_and_what_comes_later_claims_nothing() -> None:
    for row in rows():
        assert row["state"] in ("holds", "partly", "later")
        assert (row["place"] is None) == (row["state"] == "later")


def test_every_place_exists() -> None:
    for row in rows():
        if row["place"] is not None:
            assert exists(row["place"]), row["place"]


def test_the_test_that_shows_a_requirement_names_it() -> None:
    for row in rows():
        if row["state"] == "holds" and "::" in row["place"]:
            assert row["id"] in NAMED.findall(said_by(row["place"]) or ""), f"{row['place']} does not name {row['id']}"


def exists(place: str) -> bool:
    return said_by(place) is not None if "::" in place else (REPOSITORY / place).is_file()


def said_by(place: str) -> str | None:
    """What a test says of itself; None where there is no such test."""
    file, _, name = place.partition("::")
    tree = ast.parse((REPOSITORY / "tests" / file).read_text("utf-8"))
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    found = next((node for node in functions if node.name == name), None)
    return None if found is None else ast.get_docstring(found) or ""
