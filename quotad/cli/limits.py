"""Limits as commands write them: `METRIC:WINDOW:MAX[:MODEL]`."""

from __future__ import annotations

from quotad.values import Limit, Window, WindowKind
from servicekit.commands import CommandNotBegun

KINDS = {kind.value: kind for kind in WindowKind if kind is not WindowKind.FIXED}


def parse_limit(text: str) -> Limit:
    """Read one limit; the model pattern is the rest, colons included."""
    metric, _, rest = text.partition(":")
    window, _, rest = rest.partition(":")
    max_value, _, model_pattern = rest.partition(":")
    if not metric or not max_value.isascii() or not max_value.isdigit():
        raise CommandNotBegun(f"--limit {text}: write METRIC:WINDOW:MAX[:MODEL], such as total_tokens:day:100000")
    return Limit(metric, _window(text, window), int(max_value), model_pattern)


def _window(text: str, window: str) -> Window:
    if window in KINDS:
        return Window(KINDS[window])
    seconds = window.removesuffix("s")
    if seconds != window and seconds.isascii() and seconds.isdigit():
        return Window(WindowKind.FIXED, int(seconds))
    raise CommandNotBegun(f"--limit {text}: the window is one of {', '.join(KINDS)}, or seconds such as 18000s")
