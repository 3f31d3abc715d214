"""Which window a moment lies in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from quotad.values import Window, WindowKind


class WindowSpan(NamedTuple):
    """A window's start and its reset; a `LIFETIME` window has no reset."""

    start: datetime
    reset_time: datetime | None


def window_at(window: Window, created: datetime, now: datetime) -> WindowSpan:
    """The window of a limit made at `created` that contains `now`.

    Calendar windows follow the wall clock of their zone: a day may have 23 or 25 hours. Where local midnight does not
    exist the day begins at the change; where it exists twice, at the first.
    """
    match window.kind:
        case WindowKind.LIFETIME:
            return WindowSpan(created, None)
        case WindowKind.FIXED:
            length = timedelta(seconds=window.seconds)
            start = created + length * ((now - created) // length)
            return WindowSpan(start, start + length)
        case WindowKind.MINUTE | WindowKind.HOUR:
            return _clock_window(window, now)
        case _:
            return _date_window(window, now)


def _clock_window(window: Window, now: datetime) -> WindowSpan:
    local = now.astimezone(ZoneInfo(window.time_zone))
    into = timedelta(seconds=local.second, microseconds=local.microsecond)
    if window.kind is WindowKind.MINUTE:
        start = now.astimezone(UTC) - into
        return WindowSpan(start, start + timedelta(minutes=1))
    start = now.astimezone(UTC) - into - timedelta(minutes=local.minute)
    return WindowSpan(start, start + timedelta(hours=1))


def _date_window(window: Window, now: datetime) -> WindowSpan:
    zone = ZoneInfo(window.time_zone)
    first, after = _DATE_SPANS[window.kind](now.astimezone(zone).replace(tzinfo=None))
    return WindowSpan(_midnight(first, zone), _midnight(after, zone))


def _midnight(day: datetime, zone: ZoneInfo) -> datetime:
    return datetime.combine(day.date(), time.min, zone).astimezone(UTC)


def _day(local: datetime) -> tuple[datetime, datetime]:
    return local, local + timedelta(days=1)


def _week(local: datetime) -> tuple[datetime, datetime]:
    monday = local - timedelta(days=local.weekday())
    return monday, monday + timedelta(days=7)


def _month(local: datetime) -> tuple[datetime, datetime]:
    first = local.replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1)


_DATE_SPANS: dict[WindowKind, Callable[[datetime], tuple[datetime, datetime]]] = {
    WindowKind.DAY: _day,
    WindowKind.WEEK: _week,
    WindowKind.MONTH: _month,
}
