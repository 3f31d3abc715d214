"""What an upstream's refusal means for the attempt: pure functions of what it said.

402, 403, 429 with a quota code; usage_limit_reached    the account until its reset, and another account
429                                                     the account until Retry-After, and another account
5xx, 3xx                                                another account
any other 4xx                                           the caller's own fault: passed on as it came
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from proxy.accounts.usage import moment, number
from proxy.errors import ProxyError, UpstreamFailed, UpstreamOverloaded, UpstreamQuotaExhausted, UpstreamRefused
from proxy.metering.usage import Terminal, read_error, read_object
from proxy.records.accounts import AccountState
from proxy.requests.outcomes import AccountLimit, AttemptOutcome, Failed, Retry, RetryReason
from proxy.requests.types import Header

QUOTA_CODES = frozenset(
    (
        "insufficient_quota",
        "usage_limit_reached",
        "usage_not_included",
        "credit_balance_exhausted",
        "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
    )
)
RATE_CODES = frozenset(("rate_limit_exceeded", "rate_limit_error", "too_many_requests"))
OVERLOAD_CODES = frozenset(("server_is_overloaded", "slow_down", "overloaded_error"))
FAILURE_CODES = frozenset(("server_error", "internal_error", "internal_server_error"))
QUOTA_STATUSES = frozenset((402, 403, 429))

RATE_LIMIT_SECONDS = 20.0
"""How long an account rests after a 429 that does not say; OpenAI's shortest window is a minute."""
QUOTA_SECONDS = 600.0
"""The same for a used-up quota: long enough not to hammer, short enough to notice a top-up."""
WINDOWS = ("primary", "secondary")


def judge_refusal(status: int, headers: tuple[Header, ...], body: bytes, now: datetime) -> AttemptOutcome:
    """An answer that is neither a success nor a 401."""
    said = {name.lower(): value for name, value in headers}
    content = read_object(body)
    error = _error_object(content)
    codes = _codes(error)
    if status in QUOTA_STATUSES and codes & QUOTA_CODES:
        return _used_up(_quota_end(error, said, now), now, status)
    if status == 429:
        return _limited(_rate_end(said, now), now, status)
    if status >= 500 or status < 400:
        return Retry(RetryReason.FAILING, _failure(status, codes), status)
    return Failed(_refused(status, said.get("content-type", ""), body, is_json=content is not None), status)


def judge_failed_event(terminal: Terminal, now: datetime) -> Retry | None:
    """A stream that begins with its failure; None where another attempt would fail likewise."""
    if not terminal.is_failure:
        return None
    code = terminal.error_code or ""
    if code in QUOTA_CODES:
        return _used_up(now + timedelta(seconds=QUOTA_SECONDS), now, 200)
    if code in RATE_CODES:
        return _limited(now + timedelta(seconds=RATE_LIMIT_SECONDS), now, 200)
    if code in OVERLOAD_CODES:
        return Retry(RetryReason.FAILING, UpstreamOverloaded(), 200)
    return Retry(RetryReason.FAILING, UpstreamFailed(), 200) if code in FAILURE_CODES else None


def _used_up(until: datetime, now: datetime, status: int) -> Retry:
    error = UpstreamQuotaExhausted(retry_after_seconds=_seconds(until, now))
    return Retry(RetryReason.LIMITED, error, status, AccountLimit(AccountState.QUOTA_EXCEEDED, until))


def _limited(until: datetime, now: datetime, status: int) -> Retry:
    error = UpstreamOverloaded(retry_after_seconds=_seconds(until, now))
    return Retry(RetryReason.LIMITED, error, status, AccountLimit(AccountState.RATE_LIMITED, until))


def _failure(status: int, codes: set[str]) -> ProxyError:
    return UpstreamOverloaded() if status == 503 or codes & OVERLOAD_CODES else UpstreamFailed()


def _refused(status: int, content_type: str, body: bytes, *, is_json: bool) -> UpstreamRefused:
    if is_json:
        return UpstreamRefused(status, body, content_type or "application/json")
    fields = {
        "message": f"The upstream refused the request with status {status}.",
        "type": UpstreamRefused.type,
        "param": None,
        "code": UpstreamRefused.code,
    }
    return UpstreamRefused(status, json.dumps({"error": fields}).encode())


def _quota_end(error: Mapping[str, object], said: Mapping[str, str], now: datetime) -> datetime:
    """When a used-up quota comes back: as the body, the exhausted windows, or Retry-After say."""
    at = moment(error.get("resets_at"))
    if at is not None:
        return at
    seconds = number(error.get("resets_in_seconds"))
    if seconds is not None:
        return now + timedelta(seconds=seconds)
    return _window_end(said) or _retry_after(said, now) or now + timedelta(seconds=QUOTA_SECONDS)


def _rate_end(said: Mapping[str, str], now: datetime) -> datetime:
    return _retry_after(said, now) or _window_end(said) or now + timedelta(seconds=RATE_LIMIT_SECONDS)


def _window_end(said: Mapping[str, str]) -> datetime | None:
    """The last reset of the windows that a ChatGPT account has used up."""
    full = [name for name in WINDOWS if (number(said.get(f"x-codex-{name}-used-percent")) or 0) >= 100]
    ends = [moment(said.get(f"x-codex-{name}-reset-at")) for name in full]
    return max((end for end in ends if end is not None), default=None)


def _retry_after(said: Mapping[str, str], now: datetime) -> datetime | None:
    milliseconds = number(said.get("retry-after-ms"))
    if milliseconds is not None:
        return now + timedelta(milliseconds=milliseconds)
    value = said.get("retry-after")
    seconds = number(value)
    if seconds is not None:
        return now + timedelta(seconds=seconds)
    try:
        # RFC 9110, 10.2.3: or a date.
        at = parsedate_to_datetime(value or "")
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _error_object(content: Mapping[str, object] | None) -> Mapping[str, object]:
    error = content.get("error") if content else None
    return error if isinstance(error, Mapping) else {}


def _codes(error: Mapping[str, object]) -> set[str]:
    code, _ = read_error(error)
    return {value for value in (code, error.get("type")) if isinstance(value, str)}


def _seconds(until: datetime, now: datetime) -> float:
    return max(1.0, (until - now).total_seconds())
