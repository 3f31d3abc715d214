"""Which totals answer a question about a range of time, and where in it a page of the log lies. Pure.

Totals are kept for whole minutes, hours and UTC days. A range is covered by the fewest of them, and what is left at
its two edges is counted row by row: so every answer is exact, and its cost hardly depends on the range's length.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

DAY_SECONDS = 86_400
SPANS = (DAY_SECONDS, 3_600, 60)
"""Seconds of the totals without keys, longest first."""
KEY_SPANS = SPANS[:2]
"""Of the totals by key: a key has few rows in an hour, and there would be a total for nearly each of them."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST = datetime(1000, 1, 1, tzinfo=UTC)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)
"""No request is outside of these two, and within them no sum overflows."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a range of time: whole spans of a length, or what is counted row by row. None is without an end."""

    span_seconds: int | None
    low: datetime | None
    high: datetime | None
    """The first moment after the part."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """So many rows lie between two moments."""

    low: datetime
    high: datetime
    row_count: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page lies: so many rows into the rows between two moments, newest first."""

    low: datetime
    high: datetime
    offset: int


def cover(since: datetime | None, until: datetime | None, spans: Sequence[int] = SPANS) -> Iterator[Part]:
    """Disjoint parts that make up the range exactly."""
    low, high = within_reach(since), within_reach(until)
    if low is not None and high is not None and low >= high:
        return
    if not spans:
        yield Part(None, low, high)
        return
    seconds, shorter = spans[0], spans[1:]
    first = None if low is None else _floor(low + timedelta(seconds=seconds, microseconds=-1), seconds)
    last = None if high is None else _floor(high, seconds)
    if first is not None and last is not None and first >= last:
        yield from cover(low, high, shorter)
        return
    yield Part(seconds, first, last)
    if first is not None:
        yield from cover(low, first, shorter)
    if last is not None:
        yield from cover(last, high, shorter)


def place(stretches: Sequence[Stretch], limit: int, offset: int) -> Place | None:
    """The page's place among stretches that are newest first; None past the last row."""
    passed, high, skipped = 0, None, 0
    for stretch in stretches:
        if high is None and passed + stretch.row_count > offset:
            high, skipped = stretch.high, passed
        passed += stretch.row_count
        if high is not None and passed >= offset + limit:
            return Place(stretch.low, high, offset - skipped)
    return None if high is None else Place(stretches[-1].low, high, offset - skipped)


def within_reach(moment: datetime | None) -> datetime | None:
    """The moment, or the nearest at which there can be requests."""
    return None if moment is None else min(max(moment, EARLIEST), LATEST)


def _floor(moment: datetime, seconds: int) -> datetime:
    span = timedelta(seconds=seconds)
    return EPOCH + (moment - EPOCH) // span * span
