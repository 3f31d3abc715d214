from __future__ import annotations

import pytest

from quotad.cli.limits import parse_limit
from quotad.values import Limit, Window, WindowKind
from servicekit.commands import CommandFailed


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("total_tokens:day:100000", Limit("total_tokens", Window(WindowKind.DAY), 100000)),
        ("requests:minute:60:gpt-5*", Limit("requests", Window(WindowKind.MINUTE), 60, "gpt-5*")),
        ("requests:18000s:5:ft:gpt-4o:us*", Limit("requests", Window(WindowKind.FIXED, 18000), 5, "ft:gpt-4o:us*")),
        ("concurrency:lifetime:3", Limit("concurrency", Window(WindowKind.LIFETIME), 3)),
    ],
)
def test_a_limit_is_read_as_it_is_documented(text: str, limit: Limit) -> None:
    assert parse_limit(text) == limit


@pytest.mark.parametrize(
    "text",
    [
        "",
        "requests",
        "requests:day",
        "requests:day:",
        ":day:1",
        "requests:day:-1",
        "requests:day:1.5",
        "requests:day:٣",
    ],
)
def test_what_is_no_limit_says_how_to_write_one(text: str) -> None:
    with pytest.raises(CommandFailed, match=r"write METRIC:WINDOW:MAX\[:MODEL\]"):
        parse_limit(text)


@pytest.mark.parametrize("window", ["fortnight", "fixed", "18000", "s", "1h", ""])
def test_what_is_no_window_says_which_there_are(window: str) -> None:
    with pytest.raises(CommandFailed, match="the window is one of minute, hour, day, week, month, lifetime, or"):
        parse_limit(f"requests:{window}:1")
