from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from proxy import errors
from proxy.http.codex import is_codex
from proxy.http.errors import error_body, error_response
from quotad.client.types import BlockedBy, Denial, WindowKind
from tests.proxy.http.statuses import denial, status, violation


def said(error: errors.ProxyError, *, codex: bool = False) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(error_body(error, codex=codex))["error"]
    return content


def refused(of: Denial) -> errors.QuotaRefused:
    return errors.QuotaRefused(of, "gpt-5")


USED_UP = denial(violation(status(used=100)), retry_after=timedelta(hours=12))
FOR_EVER = denial(violation(status(window=WindowKind.LIFETIME, used=100, resets_in=None)))
SHORT = denial(violation(status(window=WindowKind.MINUTE, used=90)), retry_after=timedelta(seconds=1.146))
HELD = denial(violation(status(held=90), blocked_by=BlockedBy.HELD), retry_after=timedelta(seconds=1))
REQUESTS = denial(violation(status("requests", used=100)), retry_after=timedelta(seconds=40))
TOO_LARGE = denial(violation(status(), requested=101))


@pytest.mark.parametrize(
    ("error", "status_code", "kind", "code"),
    [
        (errors.InvalidApiKey(), 401, "invalid_request_error", "invalid_api_key"),
        (errors.BadRequest("no"), 400, "invalid_request_error", "invalid_value"),
        (errors.ModelNotFound("m"), 404, "invalid_request_error", "model_not_found"),
        (errors.UnknownPath("GET", "/x"), 404, "invalid_request_error", "unknown_url"),
        (errors.BodyTooLarge(5), 413, "invalid_request_error", "request_too_large"),
        (errors.QuotaUnavailable(), 503, "server_error", "quota_unavailable"),
        (errors.NoAccounts(), 503, "server_error", "no_accounts"),
        (errors.UpstreamOverloaded(), 503, "server_error", "server_is_overloaded"),
        (errors.UpstreamFailed(), 502, "server_error", "upstream_error"),
        (errors.UpstreamTimeout(), 504, "server_error", "upstream_timeout"),
        (errors.UpstreamQuotaExhausted(), 503, "server_error", "upstream_quota_exhausted"),
        (refused(USED_UP), 429, "insufficient_quota", "insufficient_quota"),
        (refused(FOR_EVER), 429, "insufficient_quota", "insufficient_quota"),
        (refused(SHORT), 429, "tokens", "rate_limit_exceeded"),
        (refused(HELD), 429, "tokens", "rate_limit_exceeded"),
        (refused(REQUESTS), 429, "requests", "rate_limit_exceeded"),
        (refused(TOO_LARGE), 429, "tokens", "rate_limit_exceeded"),
    ],
)
def test_every_error_has_the_four_keys(error: errors.ProxyError, status_code: int, kind: str, code: str) -> None:
    """B7"""
    content = said(error)
    assert (error.status, content["type"], content["code"]) == (status_code, kind, code)
    assert {"message", "type", "param", "code"} <= set(content)
    assert content["message"]


@pytest.mark.parametrize(
    ("of", "retry_after", "should_retry"),
    [
        (USED_UP, "43200", "false"),
        (FOR_EVER, None, "false"),
        (SHORT, "2", None),
        (HELD, "1", None),
        (TOO_LARGE, None, "false"),
    ],
)
def test_a_client_is_told_to_wait_only_where_waiting_helps(
    of: Denial, retry_after: str | None, should_retry: str | None
) -> None:
    """B7"""
    headers = error_response(refused(of), codex=False, headers=[]).headers
    assert headers.get("retry-after") == retry_after
    assert headers.get("x-should-retry") == should_retry


def test_a_refusal_names_every_limit_in_its_way() -> None:
    """B7"""
    both = denial(
        violation(status(window=WindowKind.MINUTE, used=90)),
        violation(status("requests", used=100, model_pattern="gpt-5*"), requested=1),
        retry_after=timedelta(seconds=1.146),
    )
    content = said(refused(both))
    assert [(limit["metric"], limit["window"]) for limit in content["limits"]] == [
        ("total_tokens", "minute"),
        ("requests", "day"),
    ]
    assert "total_tokens per minute: Limit 100, Used 90, Held 0, Requested 50" in content["message"]
    assert "requests per day for gpt-5*: Limit 100" in content["message"]
    assert content["message"].endswith("Please try again in 1.146s.")


def test_codex_is_told_that_its_usage_limit_is_reached_and_when_it_resets() -> None:
    """B7"""
    content = said(refused(USED_UP), codex=True)
    assert (content["type"], content["code"]) == ("usage_limit_reached", "insufficient_quota")
    assert isinstance(content["resets_at"], int)


def test_codex_is_given_no_reset_where_waiting_does_not_help() -> None:
    assert "resets_at" not in said(refused(FOR_EVER), codex=True)
    assert said(refused(TOO_LARGE), codex=True)["type"] == "usage_limit_reached"


def test_codex_reads_other_errors_as_everyone_does() -> None:
    assert said(errors.NoAccounts(), codex=True)["code"] == "no_accounts"


@pytest.mark.parametrize(
    ("path", "originator", "user_agent", "expected"),
    [
        ("/v1/responses", "", "OpenAI/Python 3.54", False),
        ("/backend-api/codex/responses", "", "curl/8", True),
        ("/v1/responses", "codex_exec", "", True),
        ("/v1/responses", "", "codex_cli_rs/0.169.0 (Linux)", True),
    ],
)
def test_codex_is_known_by_path_originator_or_user_agent(
    path: str, originator: str, user_agent: str, *, expected: bool
) -> None:
    assert is_codex(path, originator, user_agent) is expected


def test_an_upstream_refusal_is_passed_on_as_it_came() -> None:
    error = errors.UpstreamRefused(422, b'{"error":{"code":"odd"}}', "application/json")
    response = error_response(error, codex=False, headers=[("x-ratelimit-limit-requests", "5")])
    assert (response.status_code, response.body) == (422, b'{"error":{"code":"odd"}}')
    assert response.headers["x-ratelimit-limit-requests"] == "5"
