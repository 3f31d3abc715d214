"""Why `quotad up` cannot go on."""

from __future__ import annotations


class StackError(Exception):
    """One line for the operator: what is wrong and what to do. Never carries a secret."""
