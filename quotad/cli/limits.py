"""Limits as commands write them: `METRIC:WINDOW:MAX[:MODEL]`."""

from __future__ import annotations

from typing import Annotated

import typer

from quotad.values import UNSET, Enforcement, Limit, Unset, Window, WindowKind
from servicekit.commands import CommandNotBegun

KINDS = {kind.value: kind for kind in WindowKind if kind is not WindowKind.FIXED}
WITHOUT_CALENDAR = frozenset({WindowKind.FIXED, WindowKind.LIFETIME})
NO_LIMITS = ["none"]
UTC = "UTC"

Limits = Annotated[
    list[str] | None,
    typer.Option(
        "--limit",
        metavar="METRIC:WINDOW:MAX[:MODEL]",
        help="Such as total_tokens:day:100000 or requests:minute:60:gpt-5*. May be given several times.",
    ),
]
ShadowLimits = Annotated[
    list[str] | None,
    typer.Option(
        "--shadow-limit",
        metavar="METRIC:WINDOW:MAX[:MODEL]",
        help="A limit that counts and never refuses: what it would have refused is recorded.",
    ),
]
TimeZone = Annotated[
    str, typer.Option(help="The zone whose calendar the limits of this command follow, such as Europe/Paris.")
]


def given_limits(limits: list[str] | None, shadow_limits: list[str] | None, time_zone: str) -> list[Limit]:
    """The limits of a command line, in the order given, shadow limits last."""
    enforced = [parse_limit(text, time_zone) for text in limits or ()]
    return enforced + [parse_limit(text, time_zone, Enforcement.SHADOW) for text in shadow_limits or ()]


def changed_limits(limits: list[str] | None, shadow_limits: list[str] | None, time_zone: str) -> list[Limit] | Unset:
    """The set that replaces the present one; `--limit none` alone removes all limits."""
    if limits == NO_LIMITS:
        return given_limits(None, shadow_limits, time_zone)
    return given_limits(limits, shadow_limits, time_zone) if limits or shadow_limits else UNSET


def parse_limit(text: str, time_zone: str = UTC, enforcement: Enforcement = Enforcement.ENFORCE) -> Limit:
    """Read one limit; the model pattern is the rest, colons included."""
    metric, _, rest = text.partition(":")
    window, _, rest = rest.partition(":")
    max_value, _, model_pattern = rest.partition(":")
    if not metric or not max_value.isascii() or not max_value.isdigit():
        raise CommandNotBegun(f"--limit {text}: write METRIC:WINDOW:MAX[:MODEL], such as total_tokens:day:100000")
    return Limit(metric, _window(text, window, time_zone), int(max_value), model_pattern, enforcement)


def _window(text: str, window: str, time_zone: str) -> Window:
    if window in KINDS:
        kind = KINDS[window]
        return Window(kind) if kind in WITHOUT_CALENDAR else Window(kind, 0, time_zone)
    seconds = window.removesuffix("s")
    if seconds != window and seconds.isascii() and seconds.isdigit():
        return Window(WindowKind.FIXED, int(seconds))
    raise CommandNotBegun(f"--limit {text}: the window is one of {', '.join(KINDS)}, or seconds such as 18000s")
