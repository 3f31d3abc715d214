from __future__ import annotations

from datetime import timedelta

import pytest

from proxy.http.headers import (
    applies_to,
    forwarded_headers,
    go_duration,
    limit_headers,
    overlay,
    returned_headers,
    sane_request_id,
)
from quotad.client.types import Enforcement, WindowKind
from tests.proxy.http.statuses import NOW, status


@pytest.mark.parametrize(
    ("duration", "said"),
    [
        (timedelta(0), "0s"),
        (timedelta(seconds=-5), "0s"),
        (timedelta(milliseconds=12), "12ms"),
        (timedelta(microseconds=1), "1ms"),
        (timedelta(milliseconds=999.5), "1s"),
        (timedelta(seconds=1.5), "1.5s"),
        (timedelta(minutes=6), "6m0s"),
        (timedelta(hours=1, minutes=2, seconds=3), "1h2m3s"),
        (timedelta(days=1), "24h0m0s"),
    ],
)
def test_durations_are_written_as_go_writes_them(duration: timedelta, said: str) -> None:
    assert go_duration(duration) == said


def test_the_tightest_limit_of_a_unit_is_described_with_its_holds_subtracted() -> None:
    limits = [
        status(max_value=1000, used=10),
        status("output_tokens", max_value=200, used=50, held=60, resets_in=timedelta(minutes=6)),
        status("requests", WindowKind.MINUTE, max_value=60, used=1, held=2, resets_in=timedelta(seconds=30)),
    ]
    headers = dict(limit_headers(limits, NOW))
    assert headers["x-ratelimit-limit-tokens"] == "200"
    assert headers["x-ratelimit-remaining-tokens"] == "90"
    assert headers["x-ratelimit-reset-tokens"] == "6m0s"
    assert headers["x-ratelimit-limit-requests"] == "60"
    assert headers["x-ratelimit-remaining-requests"] == "57"
    assert headers["x-ratelimit-reset-requests"] == "30s"


def test_the_draft_fields_name_every_limit_tightest_first() -> None:
    limits = [
        status(max_value=1000, used=10, model_pattern="gpt-5*"),
        status("requests", WindowKind.MINUTE, max_value=60, resets_in=timedelta(seconds=29.2)),
        status("cost_microusd", WindowKind.LIFETIME, max_value=10**15, resets_in=None),
    ]
    headers = dict(limit_headers(limits, NOW))
    assert headers["ratelimit"] == (
        '"requests:minute";r=60;t=30, "total_tokens:day:gpt-5*";r=990;t=43200, '
        '"cost_microusd:lifetime";r=999999999999999'
    )
    assert headers["ratelimit-policy"].startswith('"requests:minute";q=60;w=43229;qu="requests", ')
    assert headers["ratelimit-policy"].endswith('"cost_microusd:lifetime";q=999999999999999')


def test_shadow_limits_do_not_show() -> None:
    assert limit_headers([status(enforcement=Enforcement.SHADOW)], NOW) == ()


def test_a_limit_without_an_end_has_no_reset() -> None:
    headers = dict(limit_headers([status(window=WindowKind.LIFETIME, resets_in=None)], NOW))
    assert "x-ratelimit-reset-tokens" not in headers
    assert headers["x-ratelimit-remaining-tokens"] == "100"


def test_a_pattern_with_odd_characters_cannot_break_out_of_its_header() -> None:
    headers = dict(limit_headers([status(model_pattern='a"b\\c\r\nx-evil: 1é')], NOW))
    assert headers["ratelimit"].startswith('"total_tokens:day:a\\"b\\\\c??x-evil: 1?";r=100')


def test_a_newer_status_replaces_the_older_one_of_the_same_limit() -> None:
    assert [each.used for each in overlay([status(used=1), status("requests")], [status(used=9)])] == [9, 0]


def test_patterns_match_exactly_or_by_prefix() -> None:
    assert applies_to(status(model_pattern="gpt-5*"), "gpt-5.1")
    assert applies_to(status(), "anything")
    assert not applies_to(status(model_pattern="gpt-5"), "gpt-5.1")


def test_credentials_addresses_and_hop_by_hop_headers_do_not_go_upstream() -> None:
    secret = [
        ("Authorization", "Bearer x"),
        ("Cookie", "a"),
        ("Host", "h"),
        ("chatgpt-account-id", "a"),
        ("x-api-key", "k"),
        ("OpenAI-Organization", "o"),
    ]
    addresses = [("Forwarded", "for=1"), ("X-Forwarded-For", "1"), ("x-real-ip", "1"), ("cf-connecting-ip", "1")]
    of_hop = [
        ("Connection", "close, X-Of-Hop"),
        ("x-of-hop", "1"),
        ("te", "trailers"),
        ("transfer-encoding", "chunked"),
    ]
    of_bytes = [("content-length", "1"), ("content-encoding", "zstd"), ("accept-encoding", "br")]
    kept = [("user-agent", "me/1"), ("content-type", "application/json"), ("session_id", "s"), ("x-stainless-os", "l")]
    assert forwarded_headers([*secret, *addresses, *of_hop, *of_bytes, *kept]) == tuple(kept)


def test_cookies_and_the_accounts_own_limits_do_not_come_back() -> None:
    dropped = [
        ("Set-Cookie", "a"),
        ("x-ratelimit-remaining-tokens", "5"),
        ("x-codex-primary-used-percent", "9"),
        ("retry-after", "3"),
        ("content-length", "9"),
        ("connection", "keep-alive"),
    ]
    kept = [("content-type", "text/event-stream"), ("openai-processing-ms", "12"), ("x-quota-demo", "true")]
    assert returned_headers([*dropped, *kept]) == tuple(kept)


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "a\n", "é", 'a"b', None])
def test_an_unsafe_request_id_is_not_echoed(given: str | None) -> None:
    assert sane_request_id(given) is None


def test_a_safe_request_id_is_kept() -> None:
    assert sane_request_id("req_1.a:b-C") == "req_1.a:b-C"
