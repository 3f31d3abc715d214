from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from proxy.errors import UpstreamFailed, UpstreamOverloaded, UpstreamQuotaExhausted, UpstreamRefused
from proxy.metering.usage import Terminal
from proxy.records.accounts import AccountState
from proxy.requests.outcomes import Failed, Retry, RetryReason
from proxy.requests.verdicts import QUOTA_SECONDS, RATE_LIMIT_SECONDS, judge_failed_event, judge_refusal

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def judge(status: int, error: Any = None, **headers: str) -> Retry | Failed:
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    outcome = judge_refusal(status, pairs, json.dumps({"error": error}).encode(), NOW)
    assert isinstance(outcome, Retry | Failed)
    return outcome


def rest(outcome: Retry | Failed) -> tuple[AccountState, float]:
    """The state that the account is put into, and for how many seconds."""
    assert isinstance(outcome, Retry)
    assert outcome.limit is not None
    assert outcome.reason is RetryReason.LIMITED
    return outcome.limit.state, (outcome.limit.until - NOW).total_seconds()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry_After": "7"}, 7),
        ({"retry_after_ms": "1500", "retry_after": "7"}, 1.5),
        ({"retry_after": "Fri, 01 May 2026 12:00:30 GMT"}, 30),
        ({"retry_after": "soon"}, RATE_LIMIT_SECONDS),
        ({"retry_after": "-3"}, RATE_LIMIT_SECONDS),
        ({"retry_after": "1e999"}, RATE_LIMIT_SECONDS),
        ({"retry_after": "nan"}, RATE_LIMIT_SECONDS),
        ({}, RATE_LIMIT_SECONDS),
    ],
)
def test_a_rate_limit_rests_the_account_for_as_long_as_it_says(headers: dict[str, str], seconds: float) -> None:
    assert rest(judge(429, {"code": "rate_limit_exceeded"}, **headers)) == (AccountState.RATE_LIMITED, seconds)


@pytest.mark.parametrize(
    ("error", "headers", "seconds"),
    [
        ({"type": "usage_limit_reached", "resets_at": NOW.timestamp() + 90}, {"retry_after": "1"}, 90),
        ({"type": "usage_limit_reached", "resets_in_seconds": 60}, {}, 60),
        (
            {"type": "usage_limit_reached"},
            {
                "x_codex_primary_used_percent": "100",
                "x_codex_primary_reset_at": str(int(NOW.timestamp()) + 50),
                "x_codex_secondary_used_percent": "20",
                "x_codex_secondary_reset_at": str(int(NOW.timestamp()) + 5000),
            },
            50,
        ),
        ({"code": "insufficient_quota", "resets_at": "x"}, {}, QUOTA_SECONDS),
        ({"code": "insufficient_quota", "resets_at": 1e300}, {}, QUOTA_SECONDS),
    ],
)
def test_a_used_up_quota_rests_the_account_until_its_reset(error: Any, headers: dict[str, str], seconds: float) -> None:
    assert rest(judge(429, error, **headers)) == (AccountState.QUOTA_EXCEEDED, seconds)


def test_the_callers_error_does_not_look_like_its_own_quota() -> None:
    used_up = judge(429, {"code": "insufficient_quota"}, retry_after="5")
    assert isinstance(used_up.error, UpstreamQuotaExhausted)
    assert used_up.error.headers["Retry-After"] == "5"
    assert isinstance(judge(429).error, UpstreamOverloaded)
    assert isinstance(judge(402, {"code": "insufficient_quota"}).error, UpstreamQuotaExhausted)


def test_failures_of_the_upstream_are_tried_elsewhere() -> None:
    for status, kind in {500: UpstreamFailed, 503: UpstreamOverloaded, 302: UpstreamFailed}.items():
        outcome = judge(status)
        assert isinstance(outcome, Retry)
        assert (outcome.reason, type(outcome.error), outcome.limit) == (RetryReason.FAILING, kind, None)


@pytest.mark.parametrize("status", [400, 403, 404, 409, 422])
def test_the_callers_own_mistake_is_passed_on_as_it_came(status: int) -> None:
    body = b'{"error": {"message": "no",  "code": "context_length_exceeded"}}'
    outcome = judge_refusal(status, (("Content-Type", "application/json; x=1"),), body, NOW)
    assert isinstance(outcome, Failed)
    error = outcome.error
    assert isinstance(error, UpstreamRefused)
    assert (error.status, error.body, error.content_type) == (status, body, "application/json; x=1")


@pytest.mark.parametrize("body", [b"<html>", b"", b"[]", b"\xff"])
def test_a_refusal_in_another_shape_is_translated(body: bytes) -> None:
    outcome = judge_refusal(400, (("content-type", "text/html"),), body, NOW)
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, UpstreamRefused)
    assert set(json.loads(outcome.error.body)["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("rate_limit_exceeded", RetryReason.LIMITED),
        ("insufficient_quota", RetryReason.LIMITED),
        ("server_is_overloaded", RetryReason.FAILING),
        ("server_error", RetryReason.FAILING),
        ("context_length_exceeded", None),
        (None, None),
    ],
)
def test_a_stream_that_begins_with_its_failure_is_judged_by_its_code(
    code: str | None, reason: RetryReason | None
) -> None:
    """S8"""
    retry = judge_failed_event(Terminal("response.failed", None, code), NOW)
    assert (retry.reason if retry else None) == reason


def test_an_end_that_is_no_failure_is_no_reason_to_retry() -> None:
    assert judge_failed_event(Terminal("response.completed", None, "server_error"), NOW) is None


def test_only_what_was_changed_for_it_is_tried_on_the_same_account() -> None:
    """S3, S8"""
    same = [reason for reason in RetryReason if Retry(reason, UpstreamFailed()).same_account]
    assert same == [RetryReason.REFRESHED, RetryReason.UNREPORTING]
