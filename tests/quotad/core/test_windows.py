"""Calendar, fixed and lifetime windows at the edges of time."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotad.core.windows import window_at
from quotad.values import Window, WindowKind

CREATED = datetime(2026, 1, 1, 12, 30, 7, tzinfo=UTC)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Cairo")
CALENDAR = (WindowKind.MINUTE, WindowKind.HOUR, WindowKind.DAY, WindowKind.WEEK, WindowKind.MONTH)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("kind", "start", "reset"),
    [
        (WindowKind.MINUTE, utc(2026, 3, 4, 15, 16), utc(2026, 3, 4, 15, 17)),
        (WindowKind.HOUR, utc(2026, 3, 4, 15), utc(2026, 3, 4, 16)),
        (WindowKind.DAY, utc(2026, 3, 4), utc(2026, 3, 5)),
        (WindowKind.WEEK, utc(2026, 3, 2), utc(2026, 3, 9)),
        (WindowKind.MONTH, utc(2026, 3, 1), utc(2026, 4, 1)),
    ],
)
def test_a_calendar_window_begins_on_the_clock(kind: WindowKind, start: datetime, reset: datetime) -> None:
    span = window_at(Window(kind), CREATED, utc(2026, 3, 4, 15, 16, 17))
    assert span == (start, reset)


def test_a_day_of_the_spring_change_has_23_hours() -> None:
    span = window_at(Window(WindowKind.DAY, time_zone="Europe/Berlin"), CREATED, utc(2026, 3, 29, 10))
    assert span == (utc(2026, 3, 28, 23), utc(2026, 3, 29, 22))


def test_a_day_of_the_autumn_change_has_25_hours() -> None:
    span = window_at(Window(WindowKind.DAY, time_zone="Europe/Berlin"), CREATED, utc(2026, 10, 25, 10))
    assert span == (utc(2026, 10, 24, 22), utc(2026, 10, 25, 23))


def test_a_day_without_midnight_begins_at_the_change() -> None:
    """Cairo's clocks go from 0:00 to 1:00 on 24 April 2026."""
    span = window_at(Window(WindowKind.DAY, time_zone="Africa/Cairo"), CREATED, utc(2026, 4, 24, 10))
    assert span.start == utc(2026, 4, 23, 22)


def test_a_month_follows_its_zone_over_the_end_of_the_year() -> None:
    span = window_at(Window(WindowKind.MONTH, time_zone="America/New_York"), CREATED, utc(2027, 1, 1, 3))
    assert span == (utc(2026, 12, 1, 5), utc(2027, 1, 1, 5))


def test_a_fixed_window_counts_from_the_limits_creation() -> None:
    span = window_at(Window(WindowKind.FIXED, seconds=18000), CREATED, CREATED + timedelta(hours=7))
    assert span == (CREATED + timedelta(hours=5), CREATED + timedelta(hours=10))


def test_a_clock_that_went_back_before_the_creation_finds_an_earlier_fixed_window() -> None:
    span = window_at(Window(WindowKind.FIXED, seconds=60), CREATED, CREATED - timedelta(seconds=1))
    assert span == (CREATED - timedelta(seconds=60), CREATED)


def test_a_lifetime_window_never_resets() -> None:
    assert window_at(Window(WindowKind.LIFETIME), CREATED, utc(2126, 1, 1)) == (CREATED, None)


@given(
    kind=st.sampled_from(CALENDAR),
    zone=st.sampled_from(ZONES),
    now=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_every_moment_lies_in_its_window(kind: WindowKind, zone: str, now: datetime) -> None:
    start, reset = window_at(Window(kind, time_zone=zone), CREATED, now)
    assert reset is not None
    assert start <= now < reset
    assert window_at(Window(kind, time_zone=zone), CREATED, start).start == start
