from __future__ import annotations

from datetime import timedelta

from proxy.http.usage import codex_usage, key_usage
from proxy.patterns import is_allowed
from quotad.client.types import ApiKey, Enforcement, KeyDescription, LimitStatus, WindowKind
from tests.proxy.http.statuses import NOW, status


def description(*limits: LimitStatus) -> KeyDescription:
    key = ApiKey("key_1", "default", "alice", "sk-a", (), NOW, NOW, "1", allowed_models=("gpt-5*",))
    return KeyDescription(key, limits, NOW)


def test_a_holder_sees_enforced_limits_only() -> None:
    usage = key_usage(description(status(used=3, held=4), status("requests", enforcement=Enforcement.SHADOW)))
    assert [(limit.metric, limit.used, limit.held, limit.available) for limit in usage.limits] == [
        ("total_tokens", 3, 4, 93)
    ]
    assert (usage.api_key_id, usage.allowed_models) == ("key_1", ["gpt-5*"])


def test_codex_sees_the_shortest_window_from_an_hour_on_and_the_longest() -> None:
    minute = status("requests", WindowKind.MINUTE, used=99, resets_in=timedelta(hours=-12, seconds=60))
    day = status(used=25, held=10)
    month = status(window=WindowKind.MONTH, used=50, resets_in=timedelta(days=20))
    limits = codex_usage(description(minute, month, day)).rate_limit
    assert limits is not None
    assert limits.primary_window is not None
    assert limits.secondary_window is not None
    assert (limits.primary_window.used_percent, limits.primary_window.limit_window_seconds) == (35, 86_400)
    assert limits.primary_window.reset_after_seconds == 43_200
    assert limits.secondary_window.used_percent == 50
    assert (limits.allowed, limits.limit_reached) == (True, False)


def test_codex_sees_the_fuller_of_two_limits_with_one_window() -> None:
    limits = codex_usage(description(status(used=25), status("requests", used=100))).rate_limit
    assert limits is not None
    assert limits.primary_window is not None
    assert (limits.primary_window.used_percent, limits.limit_reached) == (100, True)
    assert limits.secondary_window is None


def test_codex_sees_no_window_where_no_limit_resets() -> None:
    assert codex_usage(description(status(window=WindowKind.LIFETIME, resets_in=None))).rate_limit is None
    assert codex_usage(None).plan_type == "guest"


def test_allowed_models_are_exact_names_or_prefixes() -> None:
    assert is_allowed("gpt-5.1", ("gpt-5*",))
    assert not is_allowed("gpt-4", ("gpt-5*", "o3"))
    assert is_allowed("anything", ())
