"""Which models a key may use. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from quotad.client.types import pattern_matches


def is_allowed(model: str, patterns: Sequence[str]) -> bool:
    """An empty list of patterns allows every model."""
    return not patterns or any(pattern_matches(pattern, model) for pattern in patterns)
