"""Which models a pattern means: an exact name or `prefix*`. Pure."""

from __future__ import annotations

from collections.abc import Sequence


def matches(pattern: str, model: str) -> bool:
    """Exact name or `prefix*`."""
    return model.startswith(pattern[:-1]) if pattern.endswith("*") else model == pattern


def is_allowed(model: str, patterns: Sequence[str]) -> bool:
    """An empty list of patterns allows every model."""
    return not patterns or any(matches(pattern, model) for pattern in patterns)
