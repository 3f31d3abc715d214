"""Page tokens: where the next page begins, as a text that callers pass back unread."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

from quotad.errors import InvalidRequest

PAGE_SIZE_MAX = 1000
TOKEN_CHARACTERS_MAX = 2048
"""Two ids and a model's name, in base64."""


def check_page_size(page_size: int) -> None:
    if not 1 <= page_size <= PAGE_SIZE_MAX:
        raise InvalidRequest("page_size", f"a page has 1 to {PAGE_SIZE_MAX:,} entries")


def page_token(*place: str | float) -> str:
    """The token of the page that begins behind `place`."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def read_page_token(token: str, first: tuple[str | float, ...]) -> tuple[str | float, ...]:
    """The place that a token stands for, `first` for an empty one; raises `InvalidRequest`."""
    if not token:
        return first
    try:
        place = json.loads(base64.urlsafe_b64decode(token[:TOKEN_CHARACTERS_MAX]))
    except ValueError as exc:
        raise _unreadable() from exc
    if not isinstance(place, list) or len(place) != len(first):
        raise _unreadable()
    for value, model in zip(place, first, strict=True):
        is_right = isinstance(value, str) and "\0" not in value if isinstance(model, str) else _is_number(value)
        if not is_right:
            raise _unreadable()
    return tuple(place)


def time_text(time: datetime) -> str:
    return time.astimezone(UTC).isoformat()


def read_time_text(text: str) -> datetime:
    """A time of a page token; raises `InvalidRequest`."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError as exc:
        raise _unreadable() from exc
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _unreadable() -> InvalidRequest:
    return InvalidRequest("page_token", "this is no page token of this list")
