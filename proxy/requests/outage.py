"""Serving a key while quotad is away, where its owner has allowed that: within an allowance, charged later.

A request that is served so has no reservation. Its worker writes down an estimate of its charge before the upstream is
asked, so that it is not free whatever happens, and charges what was used as soon as quotad is back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime

from proxy.metering.pricing import COST
from proxy.patterns import is_allowed
from quotad.client.types import (
    ApiKey,
    Enforcement,
    LimitStatus,
    OnQuotadUnavailable,
    UnavailableAllowance,
    pattern_matches,
)

PROBE_SECONDS = 1.0
"""How often quotad is asked again while it is away; other requests that may do without are not kept waiting for it."""


def may_serve(key: ApiKey, secret: str, model: str, now: datetime) -> bool:
    """Whether the key's owner lets it go on, and it would not be refused for what it is. `key` may be out of date."""
    if key.policies.on_quotad_unavailable is not OnQuotadUnavailable.OPEN or key.policies.unavailable_allowance is None:
        return False
    is_expired = key.expire_time is not None and key.expire_time <= now
    if key.disabled or key.delete_time is not None or is_expired:
        return False
    grace_end = key.old_secrets_expire_time
    if grace_end is not None and grace_end <= now and not secret.startswith(key.secret_prefix):
        return False
    return is_allowed(model, key.allowed_models)


def counts_cost(limits: Sequence[LimitStatus], model: str) -> bool:
    """Whether one of the key's limits would have to know what the model costs (B8). `limits` may be out of date."""
    return any(
        status.limit.metric == COST
        and status.limit.enforcement is Enforcement.ENFORCE
        and pattern_matches(status.limit.model_pattern, model)
        for status in limits
    )


class Outage:
    """What was served for each key without asking. `now` is monotonic, in seconds."""

    def __init__(self) -> None:
        self._served: dict[str, deque[float]] = {}
        self._failed_at: float | None = None

    def note_failure(self, now: float) -> None:
        """No quotad answered."""
        self._failed_at = now

    def note_answer(self) -> None:
        """One did. What was served before counts on, until it is old enough."""
        self._failed_at = None

    def is_known(self, now: float) -> bool:
        """None answered a moment ago."""
        return self._failed_at is not None and now - self._failed_at < PROBE_SECONDS

    def has_room(self, api_key_id: str, allowance: UnavailableAllowance | None, now: float) -> bool:
        """Whether the allowance, so many requests in any so many seconds, has room for one more."""
        if allowance is None:
            return False
        served = self._served.get(api_key_id, deque())
        while served and served[0] <= now - allowance.seconds:
            served.popleft()
        if not served:
            self._served.pop(api_key_id, None)
        return len(served) < allowance.requests

    def count(self, api_key_id: str, now: float) -> None:
        """One more is served."""
        self._served.setdefault(api_key_id, deque()).append(now)
