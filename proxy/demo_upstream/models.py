"""Which models the demo upstream has."""

from __future__ import annotations

import re

MODELS = ("gpt-5.1-codex", "gpt-5.1-codex-mini", "gpt-5.1", "gpt-5-mini", "gpt-4o-mini")
"""What it lists."""

FAMILIES = re.compile(r"(gpt|codex|demo)-[\w.:-]+|o\d[\w.-]*")
"""What it answers to: newer names of the same families too, so that clients with other defaults work."""


def is_model(name: str) -> bool:
    return FAMILIES.fullmatch(name) is not None
