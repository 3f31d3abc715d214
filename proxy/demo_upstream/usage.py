"""How much of its windows a credential of the demo upstream has used: as it was told, and nothing until then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from proxy.demo_upstream.answers import Json

CREDENTIALS_MAX = 1_000
PRIMARY_MINUTES = 300
SECONDARY_MINUTES = 10_080


@dataclass(frozen=True, slots=True)
class DemoUsage:
    """What one credential is told of its windows; percentages of None leave the window out."""

    primary_percent: float | None = None
    secondary_percent: float | None = None
    reset_seconds: int = 3_600
    """From the answer to the reset of both windows."""
    balance: str | None = None
    """Of credits; None: none are told."""
    sends_headers: bool = False
    """Answers carry `x-codex-*` headers, too."""
    status: int = 200
    """Of the usage endpoint."""

    def payload(self, now: float) -> Json:
        windows = {
            "primary_window": self._window(self.primary_percent, PRIMARY_MINUTES, now),
            "secondary_window": self._window(self.secondary_percent, SECONDARY_MINUTES, now),
        }
        told = [percent for percent in (self.primary_percent, self.secondary_percent) if percent is not None]
        is_full = any(percent >= 100 for percent in told)
        rate_limit = {"allowed": not is_full, "limit_reached": is_full, **windows} if told else None
        credit = {"has_credits": True, "unlimited": False, "balance": self.balance}
        return {"plan_type": "plus", "rate_limit": rate_limit, "credits": None if self.balance is None else credit}

    def headers(self, now: float) -> dict[str, str]:
        if not self.sends_headers:
            return {}
        told: dict[str, str] = {}
        for name, percent, minutes in (
            ("primary", self.primary_percent, PRIMARY_MINUTES),
            ("secondary", self.secondary_percent, SECONDARY_MINUTES),
        ):
            if percent is not None:
                told[f"x-codex-{name}-used-percent"] = str(percent)
                told[f"x-codex-{name}-window-minutes"] = str(minutes)
                told[f"x-codex-{name}-reset-at"] = str(int(now) + self.reset_seconds)
        if self.balance is not None:
            told |= {"x-codex-credits-has-credits": "true", "x-codex-credits-unlimited": "false"}
            told["x-codex-credits-balance"] = self.balance
        return told

    def _window(self, percent: float | None, minutes: int, now: float) -> Json | None:
        if percent is None:
            return None
        return {
            "used_percent": percent,
            "limit_window_seconds": minutes * 60,
            "reset_after_seconds": self.reset_seconds,
            "reset_at": int(now) + self.reset_seconds,
        }


NOTHING_TOLD = DemoUsage()


@dataclass(slots=True)
class UsageBook:
    """Each credential's usage, and how often it was asked for."""

    fetches: int = 0
    _usages: dict[str, DemoUsage] = field(default_factory=dict)

    def tell(self, usages: Mapping[str, DemoUsage]) -> None:
        """From now on; a demo that is told more than it can keep forgets the oldest."""
        self._usages |= usages
        while len(self._usages) > CREDENTIALS_MAX:
            del self._usages[next(iter(self._usages))]

    def of(self, credential: str) -> DemoUsage:
        return self._usages.get(credential, NOTHING_TOLD)
