"""Why `quotad up` cannot go on."""

from __future__ import annotations

from servicekit.commands import CommandFailed


class StackError(CommandFailed):
    """One line for the operator: what is wrong and what to do. Never carries a secret."""
