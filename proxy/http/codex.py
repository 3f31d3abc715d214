"""The dialect of the Codex CLI: who speaks it, and how it must be told that a limit is reached.

Codex shows a 429 readably, with the time of the reset, only where `type` is `usage_limit_reached`; it retries no 429.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from proxy.errors import ProxyError, QuotaRefused

USAGE_LIMIT_REACHED = "usage_limit_reached"
EXHAUSTED = "insufficient_quota"

PATH_PREFIXES = ("/backend-api/codex/", "/api/codex/")
NAME_PREFIX = "codex"


def is_codex(path: str, originator: str, user_agent: str) -> bool:
    """By path, by `originator` (`codex_exec`, `codex_cli_rs`), or by user agent."""
    names = (originator.lower(), user_agent.lower())
    return path.startswith(PATH_PREFIXES) or any(name.startswith(NAME_PREFIX) for name in names)


def in_dialect(error: ProxyError, fields: dict[str, object], now: datetime) -> dict[str, object]:
    """The error object's fields as Codex reads them; other errors than the caller's own limits stay as they are."""
    if not isinstance(error, QuotaRefused):
        return fields
    said = fields | {"type": USAGE_LIMIT_REACHED, "code": EXHAUSTED}
    if error.wait_seconds is None:
        return said
    resets_at = now + timedelta(seconds=error.wait_seconds)
    return said | {"resets_at": int(resets_at.timestamp()) + 1, "resets_in_seconds": int(error.wait_seconds) + 1}
