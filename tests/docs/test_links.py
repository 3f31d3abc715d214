"""What the pages point at is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from quotad.cli import app
from tests.docs.pages import links, pages
from tests.support.processes import REPOSITORY

MAKE = re.compile(r"`make ([a-z-]+)")
PLACE = re.compile(r"`((?:dashboard|docs|proxy|protos|quotad|requirements|servicekit|tests)/[\w./-]*)`")
COMMAND = re.compile(r"`quotad ([a-z-]+)(?: ([a-z][a-z-]*))?")


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_link_leads_to_a_file(page: Path) -> None:
    assert [target for target in links(page) if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    assert [place for place in PLACE.findall(page.read_text("utf-8")) if not (REPOSITORY / place).exists()] == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_command_that_a_page_names_exists(page: Path) -> None:
    assert set(COMMAND.findall(page.read_text("utf-8"))) <= commands()


def test_the_readme_names_every_command() -> None:
    """`make up` and the pages about operating stand for those that start and migrate."""
    named = {name for name, _ in COMMAND.findall((REPOSITORY / "README.md").read_text("utf-8"))}
    assert {name for name, _ in commands()} - named == {"up", "migrate"}


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_make_target_that_a_page_names_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(MAKE.findall(page.read_text("utf-8"))) <= targets


def commands() -> set[tuple[str, str]]:
    """Names of commands, and of commands with theirs."""
    found = set()
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        if not command.hidden:
            found |= {(name, ""), *((name, inner) for inner in getattr(command, "commands", ()))}
    return found
