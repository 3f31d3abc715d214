"""The project's pages: their samples and their links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import REPOSITORY

BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?P<target>[^)#\s]+)(?:#[^)]*)?\)")
README = REPOSITORY / "README.md"


@dataclass(frozen=True, slots=True)
class Sample:
    """A fenced block of a page."""

    language: str
    text: str

    @property
    def lines(self) -> list[str]:
        return [line for line in self.text.splitlines() if line.strip()]


def samples(page: Path, language: str) -> list[Sample]:
    found = [Sample(block["language"], block["text"]) for block in BLOCK.finditer(page.read_text("utf-8"))]
    return [sample for sample in found if sample.language == language]


def links(page: Path) -> list[str]:
    """Targets of the page's links within the repository."""
    targets = [link["target"] for link in LINK.finditer(BLOCK.sub("", page.read_text("utf-8")))]
    return [target for target in targets if "://" not in target]


def pages() -> list[Path]:
    found = [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")]
    return sorted(page for page in found if "node_modules" not in page.parts)
