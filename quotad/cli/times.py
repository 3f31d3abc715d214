"""Times as commands take them."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar

import typer

from quotad.records import Page
from servicekit.commands import CommandNotBegun

Item = TypeVar("Item")

SPAN = re.compile(r"(?P<number>\d{1,6})(?P<unit>[smhd])")
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

Since = Annotated[str, typer.Option(help="How far back: 90m, 24h, 7d, or a time such as 2030-01-31T00:00:00Z.")]
Until = Annotated[str | None, typer.Option(help="Until then, in the same form; by default, now.")]


def parse_time(option: str, text: str) -> datetime:
    """A time, UTC unless it says otherwise."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError as exc:
        raise CommandNotBegun(f"{option} {text}: write a time such as 2030-01-31T00:00:00Z") from exc
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def parse_span(option: str, text: str) -> timedelta:
    """A length of time such as `90s`, `15m`, `24h` or `7d`."""
    found = SPAN.fullmatch(text)
    if found is None:
        raise CommandNotBegun(f"{option} {text}: write a length of time such as 90s, 15m, 24h or 7d")
    return timedelta(seconds=int(found["number"]) * UNITS[found["unit"]])


def parse_since(option: str, text: str) -> datetime:
    """A time, or that long ago."""
    if SPAN.fullmatch(text):
        return datetime.now(UTC) - parse_span(option, text)
    return parse_time(option, text)


async def all_pages(read: Callable[[str], Awaitable[Page[Item]]]) -> list[Item]:
    """The items of every page; `read` takes a page token."""
    page = await read("")
    found = list(page.items)
    while page.next_page_token:
        page = await read(page.next_page_token)
        found.extend(page.items)
    return found
