"""Texts that clients and upstreams choose, made fit for Postgres."""

from __future__ import annotations

import re

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""Characters that JSON can carry and Postgres cannot hold."""


def storable(text: str, characters_max: int) -> str:
    """The text, cut to its bound, with what cannot be held replaced."""
    return UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text[:characters_max])
